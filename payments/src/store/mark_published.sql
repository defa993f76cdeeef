UPDATE payments
SET published_at = $2, due_at = NULL, lease_token = NULL, traceparent = NULL
WHERE payment_id = ANY($1) AND status <> 1 AND published_at IS NULL
