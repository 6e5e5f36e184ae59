-- What a person's groups at a provider let them be granted here. Nothing said: all.
ALTER TABLE users ADD COLUMN scopes TEXT;
