-- Secrets of the house that outlive a master key, sealed under it. By name: `client secrets` is the key under which the
-- secrets of clients are hashed.
CREATE TABLE house_secrets (
    name   TEXT NOT NULL PRIMARY KEY,
    sealed TEXT NOT NULL
);
