-- Opaque access tokens, hashed, with the claims that a JWT in their place would hold.
CREATE TABLE access_tokens (
    token_hash TEXT   NOT NULL PRIMARY KEY,
    claims     TEXT   NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX access_tokens_by_end ON access_tokens (expires_at);
