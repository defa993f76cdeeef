WITH mail AS (
  SELECT *
  FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::integer[], $5::integer[], $6::text[],
              $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])
    AS m (id, order_id, user_id, kind, line, recipient, message_id, subject, text_body, html_body,
          traceparent)),
written AS (
  INSERT INTO notifications (notification_id, order_id, user_id, kind, line, recipient,
      message_id, subject, traceparent, created_at)
  SELECT id, order_id, user_id, kind, line, recipient, message_id, subject, traceparent, $12
  FROM mail
  ON CONFLICT (notification_id) DO NOTHING
  RETURNING notification_id),
queued AS (
  INSERT INTO outbox (notification_id, due_at) SELECT notification_id, $12 FROM written)
INSERT INTO bodies (notification_id, text_body, html_body)
SELECT id, text_body, html_body FROM mail
ON CONFLICT (notification_id) DO NOTHING
