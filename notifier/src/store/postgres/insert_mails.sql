INSERT INTO notifications (notification_id, order_id, user_id, kind, line, recipient,
    message_id, subject, text_body, html_body, traceparent, created_at, due_at)
SELECT *, $12, $12
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::integer[], $5::integer[], $6::text[],
            $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])
ON CONFLICT (notification_id) DO NOTHING
