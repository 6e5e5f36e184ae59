-- API keys and passwords of a protected server's own accounts. What an account shows is sealed: H(A1) of Digest is as good
-- as the password.
CREATE TABLE service_accounts (
    id     TEXT NOT NULL PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE,
    sealed TEXT NOT NULL
);
