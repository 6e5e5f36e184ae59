-- What was begun in a browser at somebody else's authorization server, and comes back once. The state is hashed; the proof
-- key is kept nowhere.
CREATE TABLE provider_legs (
    state_hash   TEXT   NOT NULL PRIMARY KEY,
    browser_hash TEXT   NOT NULL,
    provider     TEXT   NOT NULL,
    purpose      TEXT   NOT NULL,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX provider_legs_by_end ON provider_legs (expires_at);
