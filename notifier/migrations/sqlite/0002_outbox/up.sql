-- What changes with every mail stands apart from what is written once, as in
-- PostgreSQL.

-- What mails say; written once.
CREATE TABLE bodies (
    notification_id BLOB NOT NULL PRIMARY KEY,
    text_body       TEXT NOT NULL,
    html_body       TEXT NOT NULL
);
INSERT INTO bodies SELECT notification_id, text_body, html_body FROM notifications;

-- Mails that are to be sent, or to be told of; small however many were sent.
CREATE TABLE outbox (
    notification_id BLOB    NOT NULL PRIMARY KEY,
    -- When it may be worked on next; a lease moves this to its own end.
    due_at          INTEGER NOT NULL,
    lease_token     BLOB
) WITHOUT ROWID;
INSERT INTO outbox
    SELECT notification_id, due_at, lease_token FROM notifications WHERE NOT published;
CREATE INDEX outbox_due ON outbox (due_at);

DROP INDEX notifications_due;
ALTER TABLE notifications DROP COLUMN text_body;
ALTER TABLE notifications DROP COLUMN html_body;
ALTER TABLE notifications DROP COLUMN due_at;
ALTER TABLE notifications DROP COLUMN lease_token;
ALTER TABLE notifications DROP COLUMN published;
