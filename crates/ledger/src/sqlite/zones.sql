-- Zones: groups of an account's domains. Which domains are in one, the domains' settings say.

CREATE TABLE zone (
    -- immutable
    id          TEXT PRIMARY KEY,     -- the name that callers know
    account     INTEGER NOT NULL REFERENCES account,
    -- mutable
    settings    TEXT NOT NULL         -- the whole zone, as JSON
) STRICT, WITHOUT ROWID;
