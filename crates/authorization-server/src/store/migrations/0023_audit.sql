-- What was decided, by whom and about what. Ids are in order of time. `actor` is who did it, where that is not the person
-- it is about: an administrator's id, or `command line`. Fleeting rows are what strangers cause; they are kept for a week.
CREATE TABLE audit_events (
    id        TEXT   NOT NULL PRIMARY KEY,
    at        BIGINT NOT NULL,
    event     TEXT   NOT NULL,
    fleeting  BIGINT NOT NULL,
    user_id   TEXT,
    actor     TEXT,
    client_id TEXT,
    grant_id  TEXT,
    address   TEXT,
    reference TEXT,
    detail    TEXT
);
CREATE INDEX audit_events_by_age ON audit_events (fleeting, at);
CREATE INDEX audit_events_by_user ON audit_events (user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX audit_events_by_actor ON audit_events (actor, id) WHERE actor IS NOT NULL;
CREATE INDEX audit_events_by_client ON audit_events (client_id, id) WHERE client_id IS NOT NULL;
CREATE INDEX audit_events_by_reference ON audit_events (reference) WHERE reference IS NOT NULL;
