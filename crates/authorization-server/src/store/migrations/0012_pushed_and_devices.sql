-- Authorization requests that were pushed, each for one use.
CREATE TABLE pushed_requests (
    request_hash TEXT   NOT NULL PRIMARY KEY,
    client_id    TEXT   NOT NULL,
    parameters   TEXT   NOT NULL,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX pushed_requests_by_end ON pushed_requests (expires_at);

-- Devices that wait for a person. The first person who opens one is the only one who decides on it.
CREATE TABLE device_codes (
    device_hash    TEXT   NOT NULL PRIMARY KEY,
    user_code_hash TEXT   NOT NULL UNIQUE,
    grant_id       TEXT   NOT NULL,
    client_id      TEXT   NOT NULL,
    resource       TEXT   NOT NULL,
    scopes         TEXT   NOT NULL,
    refreshable    BIGINT NOT NULL,
    confidential   BIGINT NOT NULL,
    user_id        TEXT   REFERENCES users (id) ON DELETE CASCADE,
    decision       TEXT,
    pause          BIGINT NOT NULL,
    polled_at      BIGINT,
    expires_at     BIGINT NOT NULL
);
CREATE INDEX device_codes_by_end ON device_codes (expires_at);
