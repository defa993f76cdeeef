UPDATE outbox SET lease_token = $1, due_at = $2
WHERE notification_id = ANY (ARRAY (
  SELECT notification_id FROM outbox
  WHERE due_at <= $3
  ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED))
RETURNING notification_id AS id
