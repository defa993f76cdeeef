INSERT INTO orders AS o (order_id, user_id, content_hash, placed)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::bytea[])
ON CONFLICT (order_id) DO UPDATE
  SET content_hash = EXCLUDED.content_hash, placed = EXCLUDED.placed
  WHERE o.content_hash IS NULL
RETURNING order_id, outcome
