-- What the account wants of a task: that it runs, waits, or ends.

-- All are mutable but retry_of and had_fields.
ALTER TABLE task ADD COLUMN state INTEGER NOT NULL DEFAULT 0; -- 0 running, 1 paused, 2 canceled
ALTER TABLE task ADD COLUMN state_at INTEGER;                 -- moment; since when it is not running
-- Its jobs follow its state from the chunk with this `first` on; absent: all have.
ALTER TABLE task ADD COLUMN turn_from INTEGER;
-- Of the failed, those whose first failure is that the task was canceled.
ALTER TABLE task ADD COLUMN failed_canceled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tally ADD COLUMN failed_canceled INTEGER NOT NULL DEFAULT 0;
-- public_id of the task whose failed targets it tries again; that one may be gone.
ALTER TABLE task ADD COLUMN retry_of TEXT;
ALTER TABLE task ADD COLUMN had_fields INTEGER NOT NULL DEFAULT 0; -- 0 or 1: with request fields
UPDATE task SET had_fields = 1 WHERE id IN (SELECT task FROM task_fields);

-- A job has a further state, 3: not final, and its task is paused. Such jobs are in no index of what
-- is due.

-- The few tasks whose jobs do not yet follow, those that are canceled last: they take longest.
CREATE INDEX task_turning ON task (state, id) WHERE turn_from IS NOT NULL;

-- Nodes that were stopped for long made targets end so.
CREATE TEMP TABLE ended AS
    SELECT t.task, t.account, t.host, k.id >> 20 AS created_at, k.areas, count(*) AS targets
    FROM target AS t CROSS JOIN task AS k ON k.id = t.task
    WHERE t.progress = 2 AND t.outcome = 'canceled'
    GROUP BY t.task, t.host;
UPDATE task SET failed_canceled = part.targets
    FROM (SELECT task, sum(targets) AS targets FROM ended GROUP BY task) AS part
    WHERE task.id = part.task;
UPDATE tally SET failed_canceled = part.targets
    FROM (SELECT account, host, span, created_at / span AS bucket, areas, sum(targets) AS targets
        FROM (SELECT account, host, created_at, areas, targets FROM ended
            UNION ALL SELECT account, 0, created_at, areas, targets FROM ended)
            CROSS JOIN (SELECT 60000 AS span UNION ALL SELECT 3600000)
        GROUP BY 1, 2, 3, 4, 5) AS part
    WHERE tally.account = part.account AND tally.host = part.host AND tally.span = part.span
        AND tally.bucket = part.bucket AND tally.areas = part.areas;
DROP TABLE ended;

-- As in tally.rs.
DROP INDEX target_failed;
CREATE INDEX target_failed ON target (account, (CASE WHEN outcome = 'timeout' THEN 2
    WHEN outcome = 'canceled' THEN 3
    WHEN outcome GLOB 'origin_status:2[0-9][0-9]' THEN 0
    ELSE substr(outcome, 1, 14) = 'origin_status:' END), task DESC) WHERE progress = 2;
