INSERT INTO inbox_before (id, seen_day) SELECT id, seen_day FROM inbox;
DROP TABLE inbox;
DROP INDEX inbox_before_by_day;
ALTER TABLE inbox_before RENAME TO inbox;
CREATE INDEX inbox_by_day ON inbox (seen_day);
