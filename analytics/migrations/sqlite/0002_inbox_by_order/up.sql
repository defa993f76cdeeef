-- Ids of counted events, in order of arrival and found by their order.
--
-- Payment and notification ids are spread evenly over all values, so a table in
-- order of ids writes a page of its own for nearly each of them. An order's events
-- arrive soon after each other, and order ids ascend with time: looked up by the
-- order's id first, the ids of one batch stand on a few pages.

-- What was counted before; it is looked into until it is pruned away.
ALTER TABLE inbox RENAME TO inbox_before;
DROP INDEX inbox_by_day;
CREATE INDEX inbox_before_by_day ON inbox_before (seen_day);

CREATE TABLE inbox (
    arrival  INTEGER NOT NULL PRIMARY KEY,
    -- The first 8 bytes of the order's id, of a user event's own.
    near     INTEGER NOT NULL,
    id       BLOB    NOT NULL,
    -- When it was counted, for pruning.
    seen_day INTEGER NOT NULL,
    UNIQUE (near, id)
) STRICT;
-- Ascends with arrivals, so its entries are written one behind the other.
CREATE INDEX inbox_by_day ON inbox (seen_day);
