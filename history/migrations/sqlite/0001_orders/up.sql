-- Both tables only ever grow: rows are inserted once and never changed. An
-- order's state is what their join shows, so its event and its payment's event
-- may come in either order.

CREATE TABLE orders (
    -- The event's id, which is what makes a redelivered event have no effect.
    -- 16 bytes, which compare like PostgreSQL's UUID.
    order_id      BLOB    NOT NULL PRIMARY KEY,
    user_id       INTEGER NOT NULL,
    -- Minor units of the currency.
    total         INTEGER NOT NULL,
    -- Unix microseconds, as is every time here.
    placed_at     INTEGER NOT NULL,
    stored_at     INTEGER NOT NULL,
    currency_code TEXT    NOT NULL,
    -- Protobuf; see src/store/lines.rs.
    lines         BLOB    NOT NULL,
    -- SHA-256; tells a redelivered event from another one under its id.
    content_hash  BLOB    NOT NULL,
    -- 16 bytes (W3C Trace Context); null when the request had none.
    trace_id      BLOB
) STRICT;

-- The two lists, newest first: scanned backwards from a page's cursor.
CREATE INDEX orders_by_time ON orders (placed_at, order_id);
CREATE INDEX orders_by_user ON orders (user_id, placed_at, order_id);

-- No foreign key: a payment may be stored before its order. Rows are small, so
-- the primary key's own tree holds them and there is no second one.
CREATE TABLE payment_outcomes (
    -- Payment ids are derived from order ids, so this stands for the event's id.
    order_id     BLOB    NOT NULL PRIMARY KEY,
    settled_at   INTEGER NOT NULL,
    -- ordermesh.events.v1.DeclineCode; null when the money was taken.
    decline_code INTEGER
) STRICT, WITHOUT ROWID;
