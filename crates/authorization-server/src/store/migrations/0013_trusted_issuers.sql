-- Issuers whose assertions are exchanged for tokens: the name in the ids of those tokens, and since when the issuer is
-- switched off.
CREATE TABLE trusted_issuers (
    issuer      TEXT   NOT NULL PRIMARY KEY,
    own_grant   TEXT   NOT NULL,
    disabled_at BIGINT
);
