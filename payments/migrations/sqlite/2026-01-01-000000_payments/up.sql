-- One row a payment, from the intent to its end and for good.
--
-- status and decline_code hold the numbers of the protobuf enums
-- ordermesh.payments.v1.PaymentStatus and ordermesh.events.v1.DeclineCode.
-- Times are microseconds since the Unix epoch.
CREATE TABLE payments (
    -- UUIDv5 of order_id. The only key that is needed: whoever knows the order
    -- knows the payment.
    payment_id         BLOB     NOT NULL PRIMARY KEY,
    order_id           BLOB     NOT NULL,
    user_id            INTEGER  NOT NULL,
    amount             INTEGER  NOT NULL CHECK (amount >= 0),
    currency_code      TEXT     NOT NULL,
    content_hash       BLOB     NOT NULL,
    order_placed_at    INTEGER  NOT NULL,
    created_at         INTEGER  NOT NULL,
    status             INTEGER  NOT NULL,
    decline_code       INTEGER  NOT NULL DEFAULT 0,
    provider_reference TEXT,
    settled_at         INTEGER,
    published_at       INTEGER,
    -- Who works on it: only the bearer of this token may settle it.
    lease_token        BLOB,
    -- When the sweeper takes it over; NULL when nothing is left to do, or when
    -- it was given up.
    due_at             INTEGER,
    -- How often the sweeper tried in vain.
    sweeps             INTEGER  NOT NULL DEFAULT 0,
    -- Kept until settled.
    payment_token      TEXT,
    -- The order's trace, kept until published.
    traceparent        TEXT,
    CHECK (status IN (1, 2, 3)),
    CHECK ((status = 3) = (decline_code <> 0)),
    CHECK ((status = 1) = (settled_at IS NULL)),
    CHECK ((status = 1) = (provider_reference IS NULL)),
    CHECK (status = 1 OR payment_token IS NULL),
    CHECK (published_at IS NULL OR (status <> 1 AND due_at IS NULL))
) STRICT;

CREATE INDEX payments_by_time ON payments (created_at, payment_id);
CREATE INDEX payments_by_user ON payments (user_id, created_at, payment_id);
-- The few: pending ones, which are also counted, and declined ones.
CREATE INDEX payments_not_captured ON payments (status, created_at, payment_id) WHERE status <> 2;
CREATE INDEX payments_due ON payments (due_at) WHERE due_at IS NOT NULL;

-- Settled payments, counted and summed in the transaction that settles them.
-- Sharded, so that batches seldom wait for each other; read by adding up.
CREATE TABLE payment_totals (
    shard         INTEGER  NOT NULL,
    currency_code TEXT     NOT NULL,
    status        INTEGER  NOT NULL,
    decline_code  INTEGER  NOT NULL,
    payments      INTEGER  NOT NULL,
    amount        INTEGER  NOT NULL,
    PRIMARY KEY (shard, currency_code, status, decline_code)
) WITHOUT ROWID, STRICT;
