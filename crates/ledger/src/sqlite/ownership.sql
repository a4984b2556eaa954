-- Who may claim a host: what an account is to publish, and what it has proved.

CREATE TABLE ownership_record (
    -- immutable
    account     INTEGER NOT NULL REFERENCES account,
    name        TEXT NOT NULL,        -- registrable domain
    -- mutable
    token       TEXT NOT NULL,        -- what is looked for
    created_at  INTEGER NOT NULL,     -- moment
    expires_at  INTEGER NOT NULL,     -- moment
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE ownership_proof (
    -- immutable
    account     INTEGER NOT NULL REFERENCES account,
    name        TEXT NOT NULL,        -- registrable domain, or the host of a file
    method      TEXT NOT NULL,        -- dns, file
    -- mutable
    proved_at   INTEGER NOT NULL,     -- moment
    expires_at  INTEGER NOT NULL,     -- moment
    PRIMARY KEY (account, name, method)
) STRICT, WITHOUT ROWID;

ALTER TABLE account ADD COLUMN is_verification_waived INTEGER NOT NULL DEFAULT 0; -- 0 or 1
