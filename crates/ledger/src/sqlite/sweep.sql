-- The sweep: what nobody finishes ends as a timeout, what finished long ago is removed.

ALTER TABLE task ADD COLUMN failed_timeout INTEGER NOT NULL DEFAULT 0;  -- mutable; as in tally
-- Of the failed, those whose first failure is a timeout.
ALTER TABLE tally ADD COLUMN failed_timeout INTEGER NOT NULL DEFAULT 0; -- mutable
-- Leases in a row under which nothing was settled.
ALTER TABLE job ADD COLUMN fruitless INTEGER NOT NULL DEFAULT 0;        -- mutable

-- Of the targets that failed, each kind apart: see tally.rs.
DROP INDEX target_failed;
CREATE INDEX target_failed ON target (account, (CASE outcome WHEN 'timeout' THEN 2
    ELSE substr(outcome, 1, 14) = 'origin_status:' END), task DESC) WHERE progress = 2;
-- The few that are near MAX_LEASES.
CREATE INDEX job_fruitless ON job (fruitless) WHERE state < 2 AND fruitless > 9;
CREATE INDEX purge_finished ON purge (finished_at) WHERE finished_at IS NOT NULL;
