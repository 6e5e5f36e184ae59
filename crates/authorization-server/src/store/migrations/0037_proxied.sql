-- Where the tokens are a provider's: what it gave, sealed under a key that only the code yields.
ALTER TABLE codes ADD COLUMN given TEXT;

-- The provider's refresh token, sealed under a key that only this one yields; and until when somebody asks the provider.
ALTER TABLE refresh_tokens ADD COLUMN behind TEXT;
ALTER TABLE refresh_tokens ADD COLUMN asking_until BIGINT;

-- Access tokens of the provider's, hashed, with the client that was given them: no other one gives them back.
CREATE TABLE handed_over (
    token_hash TEXT   NOT NULL PRIMARY KEY,
    client_id  TEXT   NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX handed_over_by_end ON handed_over (expires_at);
