-- What changes with every mail stands apart from what is written once: an update
-- writes its whole row anew, and an entry in each index.
--
-- Notifiers from before this cannot work on the tables from after it: end them
-- first.

-- Holds up one that was not ended, so that none of its mails is left behind.
LOCK TABLE notifications IN ACCESS EXCLUSIVE MODE;

-- What mails say; written once.
CREATE TABLE bodies (
    notification_id UUID PRIMARY KEY,
    text_body       TEXT NOT NULL,
    html_body       TEXT NOT NULL
);
INSERT INTO bodies SELECT notification_id, text_body, html_body FROM notifications;

-- Mails that are to be sent, or to be told of; small however many were sent. Rows
-- come and go, so it is cleaned by their number and not by their share.
CREATE TABLE outbox (
    notification_id UUID   PRIMARY KEY,
    -- When it may be worked on next; a lease moves this to its own end.
    due_at          BIGINT NOT NULL,
    lease_token     UUID
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
INSERT INTO outbox
    SELECT notification_id, due_at, lease_token FROM notifications WHERE NOT published;
CREATE INDEX outbox_due ON outbox (due_at);

DROP INDEX notifications_due;
ALTER TABLE notifications
    DROP COLUMN text_body,
    DROP COLUMN html_body,
    DROP COLUMN due_at,
    DROP COLUMN lease_token,
    DROP COLUMN published;
