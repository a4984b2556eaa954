-- Limits by area, and the days of quotas.

CREATE TABLE quota_area_limit (
    -- immutable
    account     INTEGER NOT NULL REFERENCES account,
    product     TEXT NOT NULL,        -- cdn, teo, teo-edge, cdn-purge-url, cdn-purge-path
    area        TEXT NOT NULL,        -- mainland, overseas
    -- mutable
    batch       INTEGER NOT NULL,     -- URLs in one call
    daily       INTEGER NOT NULL,     -- URLs in one day
    PRIMARY KEY (account, product, area)
) STRICT, WITHOUT ROWID;
INSERT INTO quota_area_limit
    SELECT account, product, area, batch, daily
    FROM quota_limit, (SELECT 'mainland' AS area UNION ALL SELECT 'overseas');
DROP TABLE quota_limit;

-- Changes of the instant at which days begin. `quota_used.day` is the number of a day, whenever
-- days began at the time.
CREATE TABLE quota_era (
    -- immutable
    starts_at   INTEGER PRIMARY KEY,  -- moment; when its first day begins
    first_day   INTEGER NOT NULL      -- the number of that day
) STRICT;
