-- Orders and their payments, until both are there; then a small row remains that
-- knows the order's content and outcome, so that what comes again is recognised.
CREATE TABLE orders (
    order_id     BLOB    PRIMARY KEY,
    user_id      INTEGER NOT NULL,
    -- Of the order's event; NULL until it came.
    content_hash BLOB,
    -- The order's event, without its payment token; NULL before it came and once
    -- the mails are written. It holds an address.
    placed       BLOB,
    -- 0: captured, else the decline code; NULL until the payment came.
    outcome      INTEGER,
    -- How many mails were written; NULL until both were there.
    mails        INTEGER
);

CREATE TABLE notifications (
    notification_id BLOB    PRIMARY KEY,
    order_id        BLOB    NOT NULL,
    user_id         INTEGER NOT NULL,
    -- ordermesh.events.v1.NotificationKind
    kind            INTEGER NOT NULL,
    line            INTEGER,
    -- 0: pending, 1: sent, 2: failed
    status          INTEGER NOT NULL DEFAULT 0,
    recipient       TEXT    NOT NULL,
    message_id      TEXT    NOT NULL,
    subject         TEXT    NOT NULL,
    text_body       TEXT    NOT NULL,
    html_body       TEXT    NOT NULL,
    attempts        INTEGER NOT NULL DEFAULT 0,
    last_error      TEXT    NOT NULL DEFAULT '',
    created_at      INTEGER NOT NULL,
    sent_at         INTEGER,
    -- When it may be worked on next; a lease moves this to its own end.
    due_at          INTEGER NOT NULL,
    lease_token     BLOB,
    published       BOOLEAN NOT NULL DEFAULT FALSE,
    traceparent     TEXT
);

-- The outbox: only what is not done, so it stays small however many were sent.
CREATE INDEX notifications_due ON notifications (due_at) WHERE NOT published;
CREATE INDEX notifications_order ON notifications (order_id, created_at DESC, notification_id DESC);
CREATE INDEX notifications_latest ON notifications (created_at DESC, notification_id DESC);
-- What waits and what failed, found among the many that were sent.
CREATE INDEX notifications_not_sent ON notifications (created_at DESC, notification_id DESC)
    WHERE status <> 1;
CREATE INDEX notifications_user ON notifications (user_id, created_at DESC, notification_id DESC);
