WITH due AS MATERIALIZED (
  SELECT notification_id AS id FROM outbox
  WHERE due_at <= $3
  ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED)
UPDATE outbox SET lease_token = $1, due_at = $2
FROM due WHERE notification_id = due.id
RETURNING notification_id AS id
