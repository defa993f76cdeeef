INSERT INTO orders (order_id, user_id, total, placed_at, stored_at,
                    currency_code, lines, content_hash, trace_id)
SELECT order_id, user_id, total, placed_at, $1,
       currency_code, lines, content_hash, trace_id
FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[],
            $6::text[], $7::bytea[], $8::bytea[], $9::bytea[])
  AS batch (order_id, user_id, total, placed_at,
            currency_code, lines, content_hash, trace_id)
ON CONFLICT (order_id) DO NOTHING
