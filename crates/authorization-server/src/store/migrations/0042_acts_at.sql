-- At which third parties servers act, and with which scopes there, as the person was told on the page where they agreed (JSON by the
-- third party's name; empty is nowhere). What was agreed to before counts as told nothing.
ALTER TABLE consents ADD COLUMN acts_at TEXT NOT NULL DEFAULT '';
ALTER TABLE codes ADD COLUMN acts_at TEXT NOT NULL DEFAULT '';
ALTER TABLE device_codes ADD COLUMN acts_at TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN acts_at TEXT NOT NULL DEFAULT '';
