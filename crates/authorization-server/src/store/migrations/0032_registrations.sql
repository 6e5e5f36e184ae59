-- What has been registered or changed by clients themselves within the hour. A client that removes itself leaves its row here:
-- the quota counts what was done, not what is left of it.
CREATE TABLE registrations (
    id         TEXT NOT NULL PRIMARY KEY,
    made_from  TEXT,
    expires_at BIGINT NOT NULL
);
CREATE INDEX registrations_by_end ON registrations (expires_at);
