-- One-time codes by time (RFC 6238): the sealed secret, and the last time step that a code was taken for.
CREATE TABLE totp (
    user_id    TEXT   NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    sealed     TEXT   NOT NULL,
    last_step  BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

-- For whoever has lost the device that makes those codes. Keyed hashes: the codes are short.
CREATE TABLE recovery_codes (
    code_hash TEXT NOT NULL PRIMARY KEY,
    user_id   TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX recovery_codes_by_user ON recovery_codes (user_id);

-- Who has given the right password, and has yet to give the second factor. No session, and never mistaken for one.
CREATE TABLE half_logins (
    token_hash TEXT   NOT NULL PRIMARY KEY,
    user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_at BIGINT NOT NULL
);
CREATE INDEX half_logins_by_user ON half_logins (user_id);
CREATE INDEX half_logins_by_end ON half_logins (expires_at);

-- Public keys that people log in with. The key is a SubjectPublicKeyInfo, the algorithm its COSE number.
CREATE TABLE passkeys (
    credential_id TEXT   NOT NULL PRIMARY KEY,
    user_id       TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name          TEXT   NOT NULL,
    algorithm     BIGINT NOT NULL,
    public_key    TEXT   NOT NULL,
    sign_count    BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    used_at       BIGINT
);
CREATE INDEX passkeys_by_user ON passkeys (user_id);

-- Challenges that a passkey has answered: each counts once.
CREATE TABLE used_challenges (
    challenge  TEXT   NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX used_challenges_by_end ON used_challenges (expires_at);

-- Which browser and system a person was at, in words.
ALTER TABLE sessions ADD COLUMN device TEXT;
ALTER TABLE codes ADD COLUMN device TEXT;
ALTER TABLE grants ADD COLUMN device TEXT;
