-- Who runs this server.
ALTER TABLE users ADD COLUMN is_admin BIGINT NOT NULL DEFAULT 0;

-- A link that sets a person's password, once.
CREATE TABLE user_links (
    token_hash TEXT   NOT NULL PRIMARY KEY,
    user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_at BIGINT NOT NULL
);
CREATE INDEX user_links_by_user ON user_links (user_id);
CREATE INDEX user_links_by_end ON user_links (expires_at);

-- What this server was called when it was last started: links that the command line makes begin with it.
CREATE TABLE issuers (
    issuer     TEXT   NOT NULL PRIMARY KEY,
    started_at BIGINT NOT NULL
);
