WITH attempt AS (
  SELECT * FROM unnest($1::uuid[], $2::integer[], $3::integer[], $4::text[], $5::bigint[])
    AS a (id, status, counts, error, due_at)),
held AS (
  UPDATE outbox AS o
  SET due_at = a.due_at, lease_token = CASE WHEN a.status <> 0 THEN o.lease_token END
  FROM attempt AS a
  -- An array of one hides the equality from joins that read an index from end to end. A
  -- planner that takes the outbox for empty, as a vacuum may have found it, would choose one.
  WHERE o.notification_id = ANY (ARRAY[a.id]) AND o.lease_token = $6
  RETURNING a.*)
UPDATE notifications AS n
SET status = a.status, attempts = n.attempts + a.counts, last_error = a.error,
    sent_at = CASE WHEN a.status <> 0 THEN $7::bigint END
FROM held AS a
-- "+ 0" hides the condition from the index of what is not sent. Where all that was analysed
-- is sent, the planner takes that index for empty, and would walk it from end to end, and
-- with it everything that waits, for each mail.
WHERE n.notification_id = a.id AND n.status + 0 = 0
RETURNING n.notification_id AS id
