-- A key signs from `active_from` on, until the next in line does. Each place in line is taken once, so that several
-- processes which rotate at once make one key.
ALTER TABLE signing_keys ADD COLUMN active_from BIGINT NOT NULL DEFAULT 0;
ALTER TABLE signing_keys ADD COLUMN place BIGINT NOT NULL DEFAULT 0;
UPDATE signing_keys SET active_from = created_at;
CREATE UNIQUE INDEX signing_keys_in_line ON signing_keys (place);
