-- The tasks that run under a limit: few, while tasks are many.

CREATE INDEX task_limited ON task (id)
    WHERE finished_at IS NULL AND json_extract(options, '$.limit_mbps') IS NOT NULL;
