-- What an identity provider says of a person (SCIM): its own name for them, the address that it vouches for in lower case, and the
-- rest as JSON.
CREATE TABLE provisioned (
    user_id     TEXT   NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    external_id TEXT,
    address     TEXT,
    attributes  TEXT   NOT NULL,
    changed_at  BIGINT NOT NULL
);
CREATE INDEX provisioned_by_external_id ON provisioned (external_id);
CREATE INDEX provisioned_by_address ON provisioned (address);

-- Tokens by which identity providers say who comes and goes.
CREATE TABLE scim_tokens (
    id         TEXT   NOT NULL PRIMARY KEY,
    token_hash TEXT   NOT NULL UNIQUE,
    note       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX scim_tokens_by_end ON scim_tokens (expires_at);
