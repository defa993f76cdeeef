UPDATE notifications AS n
SET status = a.status, attempts = n.attempts + a.counts, last_error = a.error,
    due_at = a.due_at, sent_at = CASE WHEN a.status <> 0 THEN $7 END,
    lease_token = CASE WHEN a.status <> 0 THEN n.lease_token END
FROM unnest($1::uuid[], $2::integer[], $3::integer[], $4::text[], $5::bigint[])
  AS a (id, status, counts, error, due_at)
WHERE n.notification_id = a.id AND n.lease_token = $6 AND n.status = 0
RETURNING n.notification_id AS id
