-- What all orders together say, in PostgreSQL.
--
-- A batch of events is one transaction. It takes the tables in the order in
-- which they stand here, and rows in key order, so that no two transactions can
-- wait for each other in a circle.
--
-- Rows that many orders share carry a shard, which stands for the Kafka
-- partition that the events came from: batches of different partitions write
-- different rows and do not wait for each other. Reading adds the shards up.
-- Such rows are updated again and again, so their pages keep room for new row
-- versions (fillfactor): an update then touches no index (HOT).
--
-- Times are Unix microseconds, days are days since the epoch (UTC), money is in
-- minor units.

-- Ids of the events that are counted. Ids are unique over all topics: order ids
-- and user event ids are UUIDv7 or UUIDv5 in a namespace of their own, payment
-- and notification ids UUIDv5 in the order's.
CREATE TABLE inbox (
    id       UUID    NOT NULL PRIMARY KEY,
    -- When it was counted, for pruning.
    seen_day INTEGER NOT NULL
);
CREATE INDEX inbox_by_day ON inbox (seen_day);

-- Orders of which one of two events is counted. Revenue by product needs both:
-- the lines of the order, and whether they were paid. Whichever transaction
-- brings the second one applies both and removes the row.
CREATE TABLE pending_orders (
    order_id      UUID    NOT NULL PRIMARY KEY,
    seen_day      INTEGER NOT NULL,
    -- The order's half; see src/store/lines.rs.
    currency_code TEXT,
    lines         BYTEA,
    -- The payment's half.
    captured      BOOLEAN,
    CHECK ((lines IS NULL) = (currency_code IS NULL)),
    CHECK (lines IS NOT NULL OR captured IS NOT NULL)
);
CREATE INDEX pending_orders_by_day ON pending_orders (seen_day);

-- Which users reached which stage of the funnel on which day. A set: not
-- sharded, because it is what makes a user count once over all partitions.
-- Transactions wait for each other here only when they bring the same user's
-- first event of a day at the same time.
CREATE TABLE funnel_users (
    day     INTEGER  NOT NULL,
    stage   SMALLINT NOT NULL,
    user_id BIGINT   NOT NULL,
    PRIMARY KEY (day, stage, user_id)
);

-- How many rows each day and stage of funnel_users has, or had before they were
-- pruned.
CREATE TABLE funnel (
    day   INTEGER  NOT NULL,
    stage SMALLINT NOT NULL,
    shard SMALLINT NOT NULL,
    users BIGINT   NOT NULL,
    PRIMARY KEY (day, stage, shard)
) WITH (fillfactor = 50);

-- Sums over all time. Events without money count under the currency ''.
CREATE TABLE totals (
    currency_code        TEXT     NOT NULL,
    shard                SMALLINT NOT NULL,
    orders               BIGINT   NOT NULL,
    units                BIGINT   NOT NULL,
    orders_paid          BIGINT   NOT NULL,
    orders_declined      BIGINT   NOT NULL,
    ordered              BIGINT   NOT NULL,
    revenue              BIGINT   NOT NULL,
    notifications_sent   BIGINT   NOT NULL,
    notifications_failed BIGINT   NOT NULL,
    user_events          BIGINT   NOT NULL,
    updated_at           BIGINT   NOT NULL,
    PRIMARY KEY (currency_code, shard)
) WITH (fillfactor = 50);

-- Orders by the minute, hour and day (ordermesh.analytics.v1.BucketWidth) in
-- which they were placed. Each width is kept, so that a month by days reads 30
-- buckets and not 43,200.
CREATE TABLE order_rates (
    width       SMALLINT NOT NULL,
    start_at    BIGINT   NOT NULL,
    shard       SMALLINT NOT NULL,
    orders      BIGINT   NOT NULL,
    orders_paid BIGINT   NOT NULL,
    PRIMARY KEY (width, start_at, shard)
) WITH (fillfactor = 50);

CREATE TABLE products (
    product_id BIGINT   NOT NULL,
    shard      SMALLINT NOT NULL,
    units      BIGINT   NOT NULL,
    orders     BIGINT   NOT NULL,
    -- When the order was placed that gave the name.
    named_at   BIGINT   NOT NULL,
    -- Compared by its bytes, so that every server picks the same one of two
    -- names that are equally late.
    name       TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (product_id, shard)
) WITH (fillfactor = 80);

CREATE TABLE product_revenue (
    currency_code TEXT     NOT NULL,
    product_id    BIGINT   NOT NULL,
    shard         SMALLINT NOT NULL,
    revenue       BIGINT   NOT NULL,
    PRIMARY KEY (currency_code, product_id, shard)
) WITH (fillfactor = 80);

CREATE TABLE product_pairs (
    -- The smaller id.
    product_id       BIGINT   NOT NULL,
    other_product_id BIGINT   NOT NULL,
    shard            SMALLINT NOT NULL,
    orders           BIGINT   NOT NULL,
    PRIMARY KEY (product_id, other_product_id, shard),
    CHECK (product_id < other_product_id)
) WITH (fillfactor = 80);
CREATE INDEX product_pairs_by_other ON product_pairs (other_product_id);

-- One user's orders, by currency.
CREATE TABLE user_orders (
    user_id         BIGINT   NOT NULL,
    currency_code   TEXT     NOT NULL,
    shard           SMALLINT NOT NULL,
    orders          BIGINT   NOT NULL,
    units           BIGINT   NOT NULL,
    orders_paid     BIGINT   NOT NULL,
    orders_declined BIGINT   NOT NULL,
    ordered         BIGINT   NOT NULL,
    revenue         BIGINT   NOT NULL,
    first_seen_at   BIGINT   NOT NULL,
    last_seen_at    BIGINT   NOT NULL,
    PRIMARY KEY (user_id, currency_code, shard)
) WITH (fillfactor = 80);

-- What one user did, by ordermesh.events.v1.UserEventType.
CREATE TABLE user_actions (
    user_id       BIGINT   NOT NULL,
    type          SMALLINT NOT NULL,
    shard         SMALLINT NOT NULL,
    count         BIGINT   NOT NULL,
    first_seen_at BIGINT   NOT NULL,
    last_seen_at  BIGINT   NOT NULL,
    PRIMARY KEY (user_id, type, shard)
) WITH (fillfactor = 80);

-- The sum of two amounts that are not negative, at most 2^63-1. A sum of money
-- that no longer fits stays at the largest number there is, which is also the
-- largest an answer can tell, instead of failing its batch for ever.
CREATE FUNCTION capped_sum(a BIGINT, b BIGINT) RETURNS BIGINT
    LANGUAGE SQL IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN a > 9223372036854775807 - b THEN 9223372036854775807 ELSE a + b END;

-- A sum over shards, capped in the same way. Null, the sum of no rows, stays
-- null (least() would skip it).
CREATE FUNCTION capped(total NUMERIC) RETURNS BIGINT
    LANGUAGE SQL IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN total > 9223372036854775807 THEN 9223372036854775807
                ELSE total::BIGINT END;

-- Orders' halves of these ids, which it takes out of pending_orders.
--
-- By the primary key, whatever the planner thinks: most of the time the table is
-- all but empty, so a scan looks cheapest, and a plan that was made then is kept
-- when a backlog fills the table with hundreds of thousands of orders. As a
-- function, because only that can carry such a setting to one statement.
CREATE FUNCTION take_placed(ids UUID[])
    RETURNS TABLE (order_id UUID, currency_code TEXT, lines BYTEA)
    LANGUAGE SQL SET enable_seqscan = off
    BEGIN ATOMIC
        DELETE FROM pending_orders AS p WHERE p.order_id = ANY (ids) AND p.lines IS NOT NULL
        RETURNING p.order_id, p.currency_code, p.lines;
    END;

-- Removes halves that were joined; by the primary key, as above.
CREATE FUNCTION remove_joined(ids UUID[]) RETURNS VOID
    LANGUAGE SQL SET enable_seqscan = off
    BEGIN ATOMIC
        DELETE FROM pending_orders AS p WHERE p.order_id = ANY (ids);
    END;
