ALTER TABLE notifications ADD COLUMN text_body TEXT NOT NULL DEFAULT '';
ALTER TABLE notifications ADD COLUMN html_body TEXT NOT NULL DEFAULT '';
ALTER TABLE notifications ADD COLUMN due_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notifications ADD COLUMN lease_token BLOB;
ALTER TABLE notifications ADD COLUMN published BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE notifications AS n SET text_body = b.text_body, html_body = b.html_body
    FROM bodies AS b WHERE b.notification_id = n.notification_id;
UPDATE notifications SET published = TRUE;
UPDATE notifications AS n SET due_at = o.due_at, lease_token = o.lease_token, published = FALSE
    FROM outbox AS o WHERE o.notification_id = n.notification_id;
CREATE INDEX notifications_due ON notifications (due_at) WHERE NOT published;
DROP TABLE outbox;
DROP TABLE bodies;
