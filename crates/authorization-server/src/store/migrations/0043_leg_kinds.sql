-- What was begun at a provider, by what for: anyone can begin signing in, and must not push out what people who are signed in have begun.
ALTER TABLE provider_legs ADD COLUMN kind TEXT NOT NULL DEFAULT '';
