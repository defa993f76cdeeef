-- What all orders together say, in SQLite.
--
-- The same tables as in PostgreSQL but for the shards: SQLite has one writer, so
-- rows that many orders share are never waited for.
--
-- Times are Unix microseconds, days are days since the epoch (UTC), money is in
-- minor units.

-- Ids of the events that are counted. Ids are unique over all topics: order ids
-- and user event ids are UUIDv7 or UUIDv5 in a namespace of their own, payment
-- and notification ids UUIDv5 in the order's.
CREATE TABLE inbox (
    id       BLOB    NOT NULL PRIMARY KEY,
    -- When it was counted, for pruning.
    seen_day INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox_by_day ON inbox (seen_day);

-- Orders of which one of two events is counted. Revenue by product needs both:
-- the lines of the order, and whether they were paid. Whichever transaction
-- brings the second one applies both and removes the row.
CREATE TABLE pending_orders (
    order_id      BLOB    NOT NULL PRIMARY KEY,
    seen_day      INTEGER NOT NULL,
    -- The order's half; see src/store/lines.rs.
    currency_code TEXT,
    lines         BLOB,
    -- The payment's half: 0 or 1.
    captured      INTEGER,
    CHECK ((lines IS NULL) = (currency_code IS NULL)),
    CHECK ((lines IS NULL) <> (captured IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX pending_orders_by_day ON pending_orders (seen_day);

-- Which users reached which stage of the funnel on which day.
CREATE TABLE funnel_users (
    day     INTEGER NOT NULL,
    stage   INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    PRIMARY KEY (day, stage, user_id)
) STRICT, WITHOUT ROWID;

-- How many rows each day and stage of funnel_users has, or had before they were
-- pruned.
CREATE TABLE funnel (
    day   INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    users INTEGER NOT NULL,
    PRIMARY KEY (day, stage)
) STRICT, WITHOUT ROWID;

-- Sums over all time. Events without money count under the currency ''.
CREATE TABLE totals (
    currency_code        TEXT    NOT NULL PRIMARY KEY,
    orders               INTEGER NOT NULL,
    units                INTEGER NOT NULL,
    orders_paid          INTEGER NOT NULL,
    orders_declined      INTEGER NOT NULL,
    ordered              INTEGER NOT NULL,
    revenue              INTEGER NOT NULL,
    notifications_sent   INTEGER NOT NULL,
    notifications_failed INTEGER NOT NULL,
    user_events          INTEGER NOT NULL,
    updated_at           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Orders by the minute, hour and day (ordermesh.analytics.v1.BucketWidth) in
-- which they were placed. Each width is kept, so that a month by days reads 30
-- buckets and not 43,200.
CREATE TABLE order_rates (
    width       INTEGER NOT NULL,
    start_at    INTEGER NOT NULL,
    orders      INTEGER NOT NULL,
    orders_paid INTEGER NOT NULL,
    PRIMARY KEY (width, start_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE products (
    product_id INTEGER NOT NULL PRIMARY KEY,
    units      INTEGER NOT NULL,
    orders     INTEGER NOT NULL,
    -- When the order was placed that gave the name.
    named_at   INTEGER NOT NULL,
    name       TEXT    NOT NULL
) STRICT;

CREATE TABLE product_revenue (
    currency_code TEXT    NOT NULL,
    product_id    INTEGER NOT NULL,
    revenue       INTEGER NOT NULL,
    PRIMARY KEY (currency_code, product_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE product_pairs (
    -- The smaller id.
    product_id       INTEGER NOT NULL,
    other_product_id INTEGER NOT NULL,
    orders           INTEGER NOT NULL,
    PRIMARY KEY (product_id, other_product_id),
    CHECK (product_id < other_product_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX product_pairs_by_other ON product_pairs (other_product_id);

-- One user's orders, by currency.
CREATE TABLE user_orders (
    user_id         INTEGER NOT NULL,
    currency_code   TEXT    NOT NULL,
    orders          INTEGER NOT NULL,
    units           INTEGER NOT NULL,
    orders_paid     INTEGER NOT NULL,
    orders_declined INTEGER NOT NULL,
    ordered         INTEGER NOT NULL,
    revenue         INTEGER NOT NULL,
    first_seen_at   INTEGER NOT NULL,
    last_seen_at    INTEGER NOT NULL,
    PRIMARY KEY (user_id, currency_code)
) STRICT, WITHOUT ROWID;

-- What one user did, by ordermesh.events.v1.UserEventType.
CREATE TABLE user_actions (
    user_id       INTEGER NOT NULL,
    type          INTEGER NOT NULL,
    count         INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    last_seen_at  INTEGER NOT NULL,
    PRIMARY KEY (user_id, type)
) STRICT, WITHOUT ROWID;
