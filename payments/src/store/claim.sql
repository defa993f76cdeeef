INSERT INTO payments (payment_id, order_id, user_id, amount, currency_code, content_hash,
   order_placed_at, payment_token, traceparent, lease_token, due_at, created_at, status)
SELECT *, $12, 1
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[], $6::bytea[],
   $7::bigint[], $8::text[], $9::text[], $10::uuid[], $11::bigint[])
ON CONFLICT (payment_id) DO UPDATE
SET lease_token = EXCLUDED.lease_token, due_at = EXCLUDED.due_at
WHERE payments.published_at IS NULL AND payments.content_hash = EXCLUDED.content_hash
RETURNING
