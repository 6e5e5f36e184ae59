-- Whence a client registered itself (hashed), and when it was last given a code.
ALTER TABLE clients ADD COLUMN registered_from TEXT;
ALTER TABLE clients ADD COLUMN used_at BIGINT;
UPDATE clients SET used_at = created_at;

-- 1 where somebody has logged in since. The others make room for each other.
ALTER TABLE interactions ADD COLUMN logged_in BIGINT NOT NULL DEFAULT 0;
CREATE INDEX interactions_by_age ON interactions (logged_in, created_at);

-- What a person agreed to counts for one receiver of the answer. What was agreed to before is asked again.
DROP TABLE consents;
CREATE TABLE consents (
    user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id  TEXT   NOT NULL,
    resource   TEXT   NOT NULL,
    receiver   TEXT   NOT NULL,
    scopes     TEXT   NOT NULL,
    granted_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id, resource, receiver)
);
