-- Which login at a provider something came of: the identity, and the provider's own session, as a hash of issuer and `sid`. Word of
-- a logout there finds it by that.
ALTER TABLE sessions ADD COLUMN came_by TEXT;
ALTER TABLE sessions ADD COLUMN sid_hash TEXT;
ALTER TABLE codes ADD COLUMN came_by TEXT;
ALTER TABLE codes ADD COLUMN sid_hash TEXT;
ALTER TABLE device_codes ADD COLUMN came_by TEXT;
ALTER TABLE device_codes ADD COLUMN sid_hash TEXT;
ALTER TABLE grants ADD COLUMN came_by TEXT;
ALTER TABLE grants ADD COLUMN sid_hash TEXT;
CREATE INDEX sessions_by_sid ON sessions (sid_hash) WHERE sid_hash IS NOT NULL;
CREATE INDEX grants_by_sid ON grants (sid_hash) WHERE sid_hash IS NOT NULL;
CREATE INDEX identities_by_subject ON identities (subject);

-- Two words about one person: the operator's (`barred_at`) and that of an identity provider (SCIM, `deactivated_at`). `disabled_at`
-- is where one of them is said. What was said before is SCIM's where SCIM has spoken of the person.
ALTER TABLE users ADD COLUMN barred_at BIGINT;
ALTER TABLE users ADD COLUMN deactivated_at BIGINT;
UPDATE users SET deactivated_at = disabled_at
 WHERE disabled_at IS NOT NULL AND id IN (SELECT user_id FROM provisioned);
UPDATE users SET barred_at = disabled_at WHERE disabled_at IS NOT NULL AND deactivated_at IS NULL;
