-- The tables of the ledger, version 1. Moments are milliseconds since 1970-01-01T00:00:00Z.

CREATE TABLE account (
    -- immutable
    id          INTEGER PRIMARY KEY,  -- the ledger's number
    uin         TEXT NOT NULL UNIQUE, -- vendor-style user number
    app_id      INTEGER NOT NULL,     -- vendor-style application number
    created_at  INTEGER NOT NULL,     -- moment
    -- mutable
    tasks       INTEGER NOT NULL DEFAULT 0 -- tasks accepted so far, for totals of pages
) STRICT;

CREATE TABLE access_key (
    -- immutable
    secret_id   TEXT PRIMARY KEY,     -- public half
    -- mutable
    secret_key  TEXT NOT NULL,        -- secret half, as given: NOT sealed, so guard the file
    account     INTEGER NOT NULL REFERENCES account,
    is_enabled  INTEGER NOT NULL      -- 0 or 1
) STRICT, WITHOUT ROWID;

CREATE TABLE domain (
    -- immutable
    host        TEXT PRIMARY KEY,     -- lower case, without port
    -- mutable
    account     INTEGER NOT NULL REFERENCES account,
    settings    TEXT NOT NULL         -- the whole domain, as JSON
) STRICT, WITHOUT ROWID;

CREATE TABLE quota_limit (
    -- immutable
    account     INTEGER NOT NULL REFERENCES account,
    product     TEXT NOT NULL,        -- cdn, teo
    -- mutable
    batch       INTEGER NOT NULL,     -- URLs in one call
    daily       INTEGER NOT NULL,     -- URLs in one day and area
    PRIMARY KEY (account, product)
) STRICT, WITHOUT ROWID;

CREATE TABLE quota_used (
    -- immutable
    account     INTEGER NOT NULL REFERENCES account,
    product     TEXT NOT NULL,        -- cdn, teo
    area        TEXT NOT NULL,        -- mainland, overseas
    day         INTEGER NOT NULL,     -- days since 1970-01-01 in UTC+8
    -- mutable
    used        INTEGER NOT NULL,     -- URLs charged
    PRIMARY KEY (account, product, area, day)
) STRICT, WITHOUT ROWID;

-- Numbers for names that would otherwise stand in millions of rows.
CREATE TABLE node (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE host (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT; -- from 1

CREATE TABLE task (
    -- immutable
    id          INTEGER PRIMARY KEY,  -- created_at << 20 | running number within that millisecond
    public_id   TEXT NOT NULL UNIQUE, -- the name that callers know
    account     INTEGER NOT NULL REFERENCES account,
    product     TEXT NOT NULL,        -- cdn, teo
    areas       TEXT NOT NULL,        -- mainland, overseas, global
    tier        TEXT,                 -- edge, middle; absent = default of each area
    options     TEXT NOT NULL,        -- how its content is asked for, as JSON
    created_at  INTEGER NOT NULL,     -- moment
    -- mutable
    targets     INTEGER NOT NULL,     -- targets in all, children included
    done        INTEGER NOT NULL,     -- of these, done
    failed      INTEGER NOT NULL,     -- of these, failed
    failed_origin INTEGER NOT NULL,   -- of the failed, those whose first failure is an origin status
    updated_at  INTEGER NOT NULL,     -- moment
    finished_at INTEGER               -- moment; absent while targets are processing
) STRICT;
CREATE INDEX task_by_account ON task (account, id DESC, areas);

-- At most 500 targets that were written together. Jobs are made by chunk and node.
CREATE TABLE chunk (
    -- immutable
    id          INTEGER PRIMARY KEY,
    task        INTEGER NOT NULL REFERENCES task,
    first       INTEGER NOT NULL,     -- targets of the task in earlier chunks
    size        INTEGER NOT NULL,     -- targets in it
    created_at  INTEGER NOT NULL,     -- moment
    -- mutable
    open        INTEGER NOT NULL,     -- targets that are processing
    pending     BLOB NOT NULL,        -- by position, 16 bits little-endian: nodes not settled yet
    failed      BLOB NOT NULL         -- bitmap of positions that failed on some node
) STRICT;
CREATE UNIQUE INDEX chunk_by_task ON chunk (task, first);
CREATE INDEX chunk_open ON chunk (task, first) WHERE open > 0;

-- One row for each URL of a task, never one for each URL and node. No foreign keys here: they
-- would cost a look-up for each of millions of rows that one piece of code writes.
CREATE TABLE target (
    -- immutable
    id          INTEGER PRIMARY KEY,  -- chunk << 9 | position in the chunk
    task        INTEGER NOT NULL,     -- task.id
    account     INTEGER NOT NULL,     -- account.id, of the task
    host        INTEGER NOT NULL,     -- host.id
    url_hash    INTEGER NOT NULL,     -- 64 bits of a hash of url: finds it, does not prove it
    url         TEXT NOT NULL,        -- normalised
    levels      INTEGER NOT NULL,     -- levels of playlists that may be followed below it
    nodes       INTEGER NOT NULL,     -- nodes that must hold it
    parent      INTEGER,              -- target.id of the playlist that named it
    -- mutable
    progress    INTEGER NOT NULL,     -- 0 processing, 1 done, 2 failed
    outcome     TEXT,                 -- first failure among its nodes, or last success
    size_bytes  INTEGER,              -- bytes, when known
    finished_at INTEGER               -- moment; absent while processing
) STRICT;
-- The row number comes last in every index: all give the order of pages, newest task first.
CREATE INDEX target_by_url ON target (url_hash, task DESC);
CREATE INDEX target_by_host ON target (host, task DESC);
CREATE INDEX target_by_progress ON target (account, progress, task DESC);

-- Counts of targets by the minute and the hour of their task's creation: totals without counting.
CREATE TABLE tally (
    -- immutable
    account     INTEGER NOT NULL REFERENCES account,
    host        INTEGER NOT NULL,     -- host.id, or 0 = all hosts together
    span        INTEGER NOT NULL,     -- milliseconds of a bucket: 60000 or 3600000
    bucket      INTEGER NOT NULL,     -- number of the bucket: moment / span
    areas       TEXT NOT NULL,        -- of the task
    -- mutable
    targets     INTEGER NOT NULL,     -- as in task
    done        INTEGER NOT NULL,
    failed      INTEGER NOT NULL,
    failed_origin INTEGER NOT NULL,
    PRIMARY KEY (account, host, span, bucket, areas)
) STRICT, WITHOUT ROWID;

CREATE TABLE job (
    -- immutable
    id          INTEGER PRIMARY KEY,
    chunk       INTEGER NOT NULL REFERENCES chunk,
    node        INTEGER NOT NULL REFERENCES node,
    members     BLOB NOT NULL,        -- bitmap of the chunk's positions that this node must hold
    -- mutable
    settled     BLOB NOT NULL,        -- bitmap of the members whose outcome is final
    state       INTEGER NOT NULL,     -- 0 waiting, 1 leased, 2 final
    attempt     INTEGER NOT NULL,     -- how often it was leased
    due         INTEGER NOT NULL,     -- moment: waiting = not before, leased = end of the lease
    token       INTEGER NOT NULL      -- of the last lease, 64 bits
) STRICT;
CREATE INDEX job_by_chunk ON job (chunk);
-- Only what is not final, so that leasing does not see the finished millions.
CREATE INDEX job_due ON job (node, due) WHERE state < 2;

-- What a node said of items of a job; append-only, the last word on an item counts.
CREATE TABLE report (
    -- immutable
    id          INTEGER PRIMARY KEY,
    job         INTEGER NOT NULL REFERENCES job,
    created_at  INTEGER NOT NULL,     -- moment
    items       TEXT NOT NULL         -- JSON array of arrays, see report.rs
) STRICT;
CREATE INDEX report_by_job ON report (job);
