-- Under which grants an access token of the provider's was handed on: it may come again with another login of the same client, and is then
-- bounded by each. `handed_over.grant_id` is the first, or empty for a token that was given back.
CREATE TABLE handed_over_under (
    token_hash TEXT NOT NULL REFERENCES handed_over (token_hash) ON DELETE CASCADE,
    grant_id   TEXT NOT NULL,
    PRIMARY KEY (token_hash, grant_id)
);
INSERT INTO handed_over_under (token_hash, grant_id)
SELECT token_hash, grant_id FROM handed_over WHERE grant_id <> '';
