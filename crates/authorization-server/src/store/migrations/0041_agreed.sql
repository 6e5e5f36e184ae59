-- Of which grant an access token of the provider's is: what was agreed to there bounds it. Those that were handed on before are
-- of none, and good for nothing here.
ALTER TABLE handed_over ADD COLUMN grant_id TEXT NOT NULL DEFAULT '';

-- Each browser has its own bound.
CREATE INDEX provider_legs_by_browser ON provider_legs (browser_hash);
