-- A success of the origin that is not kept, such as 204, is no refusal: it counts among the other
-- failures.

CREATE TEMP TABLE moved AS
    SELECT t.task, t.account, t.host, k.id >> 20 AS created_at, k.areas, count(*) AS targets
    FROM target AS t CROSS JOIN task AS k ON k.id = t.task
    WHERE t.progress = 2 AND t.outcome GLOB 'origin_status:2[0-9][0-9]'
    GROUP BY t.task, t.host;

UPDATE task SET failed_origin = failed_origin - part.targets
    FROM (SELECT task, sum(targets) AS targets FROM moved GROUP BY task) AS part
    WHERE task.id = part.task;
UPDATE tally SET failed_origin = failed_origin - part.targets
    FROM (SELECT account, host, span, created_at / span AS bucket, areas, sum(targets) AS targets
        FROM (SELECT account, host, created_at, areas, targets FROM moved
            UNION ALL SELECT account, 0, created_at, areas, targets FROM moved)
            CROSS JOIN (SELECT 60000 AS span UNION ALL SELECT 3600000)
        GROUP BY 1, 2, 3, 4, 5) AS part
    WHERE tally.account = part.account AND tally.host = part.host AND tally.span = part.span
        AND tally.bucket = part.bucket AND tally.areas = part.areas;
DROP TABLE moved;

-- As in tally.rs.
DROP INDEX target_failed;
CREATE INDEX target_failed ON target (account, (CASE WHEN outcome = 'timeout' THEN 2
    WHEN outcome GLOB 'origin_status:2[0-9][0-9]' THEN 0
    ELSE substr(outcome, 1, 14) = 'origin_status:' END), task DESC) WHERE progress = 2;
