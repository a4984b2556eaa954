-- Running sums of the bytes of each task: whoever is shown it need not wait for a sum.

-- All three are mutable. Sizes of the targets that are done.
ALTER TABLE task ADD COLUMN done_bytes INTEGER NOT NULL DEFAULT 0;
-- Sizes of targets, once for each node on which one was a success.
ALTER TABLE task ADD COLUMN held_bytes INTEGER NOT NULL DEFAULT 0;
-- What nodes pulled for targets that are final there.
ALTER TABLE task ADD COLUMN pulled_bytes INTEGER NOT NULL DEFAULT 0;

UPDATE task SET done_bytes = (
    SELECT coalesce(sum(target.size_bytes), 0)
    FROM chunk INDEXED BY chunk_by_task
        CROSS JOIN target ON target.id BETWEEN chunk.id << 9 AND (chunk.id << 9) + 511
    WHERE chunk.task = task.id AND target.progress = 1);

-- Of each item of a job the last word.
UPDATE task SET (held_bytes, pulled_bytes) = (
    SELECT coalesce(sum(CASE WHEN outcome IN ('filled', 'already_fresh', 'revalidated')
            THEN size END), 0),
        coalesce(sum(pulled), 0)
    FROM (
        SELECT max(report.id), json_extract(item.value, '$[1]') AS outcome,
            json_extract(item.value, '$[2]') AS size, json_extract(item.value, '$[3]') AS pulled
        FROM chunk INDEXED BY chunk_by_task
            CROSS JOIN job INDEXED BY job_by_chunk ON job.chunk = chunk.id
            CROSS JOIN report INDEXED BY report_by_job ON report.job = job.id
            CROSS JOIN json_each(report.items) AS item
        WHERE chunk.task = task.id
        GROUP BY job.id, json_extract(item.value, '$[0]')));
