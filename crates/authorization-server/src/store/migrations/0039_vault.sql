-- Tokens of third parties at which servers act for people, sealed under the master key: one session for each person and third
-- party. Each renewal is a version; one replica at a time asks for the next, until `lease_ends`.
CREATE TABLE vault (
    id         TEXT   NOT NULL PRIMARY KEY,
    user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    party      TEXT   NOT NULL,
    issuer     TEXT   NOT NULL,
    scopes     TEXT   NOT NULL,
    sealed     TEXT   NOT NULL,
    linked_at  BIGINT NOT NULL,
    renew_at   BIGINT,
    ends_at    BIGINT,
    version    BIGINT NOT NULL,
    lease      TEXT,
    lease_ends BIGINT NOT NULL,
    UNIQUE (user_id, party)
);
