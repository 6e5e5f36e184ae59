-- What else a client was configured or registered with, as JSON; since when it is switched off; the name under which
-- tokens are issued to the client itself.
ALTER TABLE clients ADD COLUMN details TEXT;
ALTER TABLE clients ADD COLUMN disabled_at BIGINT;
ALTER TABLE clients ADD COLUMN own_grant TEXT;

-- The key that tokens are bound to, and 1 where the client has shown more than its id.
ALTER TABLE codes ADD COLUMN bound_to TEXT;
ALTER TABLE codes ADD COLUMN confidential BIGINT NOT NULL DEFAULT 0;
ALTER TABLE grants ADD COLUMN bound_to TEXT;
ALTER TABLE grants ADD COLUMN confidential BIGINT NOT NULL DEFAULT 0;

-- Ids of assertions and proofs that were taken, hashed: each counts once.
CREATE TABLE seen_ids (
    seen       TEXT   NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX seen_ids_by_end ON seen_ids (expires_at);
