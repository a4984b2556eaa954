-- Purges: what is to leave the caches, and which nodes have carried that out.

CREATE TABLE purge (
    -- immutable
    id          INTEGER PRIMARY KEY,  -- ascending
    public_id   TEXT NOT NULL UNIQUE, -- the name that callers know
    account     INTEGER NOT NULL REFERENCES account,
    scope       TEXT NOT NULL,        -- url, path
    method      TEXT NOT NULL,        -- delete, invalidate
    areas       TEXT NOT NULL,        -- mainland, overseas, global
    created_at  INTEGER NOT NULL,     -- moment
    -- mutable
    finished_at INTEGER               -- moment; absent while orders are open
) STRICT;
CREATE INDEX purge_by_account ON purge (account, id DESC);

CREATE TABLE purge_target (
    -- immutable
    id          INTEGER PRIMARY KEY,  -- ascending, in the order submitted
    purge       INTEGER NOT NULL REFERENCES purge,
    host        TEXT NOT NULL,
    url         TEXT NOT NULL         -- normalised
) STRICT;
CREATE INDEX purge_target_by_purge ON purge_target (purge, id);

-- One node's part of one purge: all its targets.
CREATE TABLE purge_order (
    -- immutable
    id          INTEGER PRIMARY KEY,
    purge       INTEGER NOT NULL REFERENCES purge,
    account     INTEGER NOT NULL,     -- of the purge
    node        INTEGER NOT NULL REFERENCES node,
    phase       INTEGER NOT NULL,     -- from 0; handed out when all before are confirmed
    -- mutable
    state       INTEGER NOT NULL,     -- 0 held back, 1 handed out, 2 confirmed
    number      INTEGER NOT NULL,     -- 0 while held back, then from purge_number
    done_at     INTEGER               -- moment of confirmation
) STRICT;
CREATE INDEX purge_order_open ON purge_order (node, number) WHERE state < 2;
CREATE INDEX purge_order_by_purge ON purge_order (purge, phase);

-- The last number given to an order: microseconds since 1970, so that a ledger that begins anew
-- goes on above the numbers that nodes remember.
CREATE TABLE purge_number (last INTEGER NOT NULL) STRICT;
INSERT INTO purge_number (last) VALUES (0);
