-- The token by which a client manages its own registration (RFC 7592), hashed; and the one before it, which is good until
-- the client has used its successor.
ALTER TABLE clients ADD COLUMN registration_token TEXT;
ALTER TABLE clients ADD COLUMN former_registration_token TEXT;

-- Tokens that let clients register (RFC 7591 §1.2), hashed. `uses` is how many registrations one is good for; nothing
-- means any number until it ends.
CREATE TABLE initial_access_tokens (
    id         TEXT   NOT NULL PRIMARY KEY,
    token_hash TEXT   NOT NULL UNIQUE,
    note       TEXT   NOT NULL,
    uses       BIGINT,
    used       BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX initial_access_tokens_by_end ON initial_access_tokens (expires_at);
