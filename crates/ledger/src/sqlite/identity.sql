-- Users, groups, policies, and keys of several users.

ALTER TABLE account ADD COLUMN name TEXT NOT NULL DEFAULT '';        -- mutable
ALTER TABLE account ADD COLUMN is_enabled INTEGER NOT NULL DEFAULT 1; -- mutable; 0 or 1

CREATE TABLE user (
    -- immutable
    id          INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice
    account     INTEGER NOT NULL REFERENCES account,
    uin         TEXT NOT NULL UNIQUE, -- vendor-style user number
    name        TEXT NOT NULL,
    created_at  INTEGER NOT NULL,     -- moment
    -- mutable
    is_enabled  INTEGER NOT NULL,     -- 0 or 1
    UNIQUE (account, name)
) STRICT;

CREATE TABLE user_group (
    -- immutable
    id          INTEGER PRIMARY KEY,
    account     INTEGER NOT NULL REFERENCES account,
    name        TEXT NOT NULL,
    created_at  INTEGER NOT NULL,     -- moment
    UNIQUE (account, name)
) STRICT;

CREATE TABLE group_member (
    -- immutable
    user_group  INTEGER NOT NULL REFERENCES user_group ON DELETE CASCADE,
    user        INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
    PRIMARY KEY (user, user_group)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_by_group ON group_member (user_group);

CREATE TABLE policy (
    -- immutable
    id          INTEGER PRIMARY KEY,
    account     INTEGER NOT NULL REFERENCES account,
    name        TEXT NOT NULL,
    created_at  INTEGER NOT NULL,     -- moment
    -- mutable
    document    TEXT NOT NULL,        -- as it was given
    updated_at  INTEGER NOT NULL,     -- moment
    UNIQUE (account, name)
) STRICT;

CREATE TABLE policy_user (
    -- immutable
    policy      INTEGER NOT NULL REFERENCES policy,
    user        INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
    PRIMARY KEY (user, policy)
) STRICT, WITHOUT ROWID;
CREATE INDEX policy_user_by_policy ON policy_user (policy);

CREATE TABLE policy_group (
    -- immutable
    policy      INTEGER NOT NULL REFERENCES policy,
    user_group  INTEGER NOT NULL REFERENCES user_group ON DELETE CASCADE,
    PRIMARY KEY (user_group, policy)
) STRICT, WITHOUT ROWID;
CREATE INDEX policy_group_by_policy ON policy_group (policy);

-- A new table rather than new columns: the pages of the old one hold secrets that are not sealed,
-- also where rows once were. Dropping it overwrites them.
ALTER TABLE access_key RENAME TO plain_key;
CREATE TABLE access_key (
    -- immutable
    secret_id   TEXT PRIMARY KEY,     -- public half
    created_at  INTEGER NOT NULL,     -- moment
    token_hash  BLOB,                 -- SHA-256 of the token; only temporary keys have one
    expires_at  INTEGER,              -- moment; only of temporary keys
    policy      TEXT,                 -- a document that narrows a temporary key
    -- mutable
    secret_key  TEXT NOT NULL,        -- secret half, sealed by the engine
    account     INTEGER NOT NULL REFERENCES account,
    user        INTEGER REFERENCES user ON DELETE CASCADE, -- absent = the root user
    is_enabled  INTEGER NOT NULL,     -- 0 or 1
    last_used_at INTEGER              -- moment, about to the minute
) STRICT, WITHOUT ROWID;
INSERT INTO access_key (secret_id, secret_key, account, is_enabled, created_at)
    SELECT secret_id, secret_key, plain_key.account, plain_key.is_enabled, account.created_at
    FROM plain_key JOIN account ON account.id = plain_key.account;
DROP TABLE plain_key;
CREATE INDEX key_by_account ON access_key (account, user);
CREATE INDEX key_by_end ON access_key (account, expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX key_by_user ON access_key (user) WHERE user IS NOT NULL; -- what goes with a user
