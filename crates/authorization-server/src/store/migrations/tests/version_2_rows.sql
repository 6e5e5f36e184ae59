-- What a house of version 2 holds, at 1,000 seconds: a user, two clients, a session, a consent, a code, and a grant whose
-- refresh token was rotated once. The client secret is `s3cret` and the signing key `pkcs8`, under the master key 0x01 × 32.
INSERT INTO users VALUES ('u1', 'Ada', 'ada', '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA', 900, NULL);
INSERT INTO users VALUES ('u2', 'Bob', 'bob', '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA', 900, 950);
INSERT INTO clients VALUES ('web', 'configured', 'Web', 'client_secret_basic', 'zwtkyVIqTEUZMFXnZnc4pcXcXjy32XF2HupxgyziyZM', '["https://app.example/callback"]', '["authorization_code","refresh_token"]', NULL, 900, NULL, 900);
INSERT INTO clients VALUES ('ide', 'dynamic', 'IDE', 'none', NULL, '["http://127.0.0.1/callback"]', '["authorization_code"]', 'notes:read', 900, 'address', 900);
INSERT INTO sessions VALUES ('session', 'u1', 900, 9000);
INSERT INTO interactions VALUES ('i1', 'browser', '{}', 900, 9000, 1);
INSERT INTO consents VALUES ('u1', 'ide', 'https://mcp.example/mcp', 'http://127.0.0.1/callback', 'notes:read', 900);
INSERT INTO codes VALUES ('code', 'g2', 'u1', 'ide', 'http://127.0.0.1/callback', 'challenge', 'https://mcp.example/mcp', 'notes:read', 1, 1060, NULL);
INSERT INTO grants VALUES ('g1', 'u1', 'web', 'https://mcp.example/mcp', 'notes:read', 900, 9000, NULL);
INSERT INTO grants VALUES ('g0', 'u2', 'web', 'https://mcp.example/mcp', 'notes:read', 900, 9000, 950);
INSERT INTO refresh_tokens VALUES ('first', 'g1', 9000, 950, 'sealed successor');
INSERT INTO refresh_tokens VALUES ('second', 'g1', 9000, NULL, NULL);
INSERT INTO revocations VALUES ('g0', 87950);
INSERT INTO signing_keys VALUES ('kid', 'ES256', 'AAECAwQFBgcICQoLLuMBdjqZPKaPTnXRsNjw5x-rklzn', 900);
INSERT INTO login_failures VALUES ('subject', 2, 0, 4500);
INSERT INTO known_browsers VALUES ('known', 90000);
INSERT INTO setup_links VALUES ('link', 4500);
