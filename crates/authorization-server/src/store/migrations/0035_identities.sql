-- Who an account is at other issuers: issuer and subject together name one person for good; an address does not. One row, whether
-- it began with a login there or with an assertion; `own_grant` stands in the ids of tokens that come from assertions.
CREATE TABLE identities (
    id        TEXT   NOT NULL PRIMARY KEY,
    issuer    TEXT   NOT NULL,
    subject   TEXT   NOT NULL,
    user_id   TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    own_grant TEXT,
    linked_at BIGINT NOT NULL,
    used_at   BIGINT,
    UNIQUE (issuer, subject)
);
CREATE INDEX identities_by_user ON identities (user_id);
