-- When the person logged in. It goes into every token that comes of that login.
ALTER TABLE codes ADD COLUMN authenticated_at BIGINT;
ALTER TABLE grants ADD COLUMN authenticated_at BIGINT;
ALTER TABLE device_codes ADD COLUMN authenticated_at BIGINT;

-- What the client's tokens have to be bound to, in words: `dpop`, `certificate`. A client that is a metadata document is
-- not looked at again when it redeems.
ALTER TABLE codes ADD COLUMN must_bind TEXT NOT NULL DEFAULT '';
ALTER TABLE device_codes ADD COLUMN must_bind TEXT NOT NULL DEFAULT '';

-- When a device got its tokens, and the refresh token among them, sealed under a key that only the device code yields.
ALTER TABLE device_codes ADD COLUMN redeemed_at BIGINT;
ALTER TABLE device_codes ADD COLUMN given_token TEXT;

-- Wrong one-time codes in browsers that the person has never used, since the last login or password.
ALTER TABLE totp ADD COLUMN wrong BIGINT NOT NULL DEFAULT 0;
