INSERT INTO orders AS o (order_id, user_id, outcome)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::integer[])
ON CONFLICT (order_id) DO UPDATE SET outcome = EXCLUDED.outcome
  WHERE o.outcome IS NULL
RETURNING order_id, placed
