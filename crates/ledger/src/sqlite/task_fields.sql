-- The request fields of a task lie apart from it, sealed by the engine, and only while it runs: they
-- may be secrets. In older files they stood among the options, in clear and for as long as the task.

CREATE TABLE task_fields (
    -- immutable
    task        INTEGER PRIMARY KEY REFERENCES task, -- one that is not finished
    -- mutable
    fields      TEXT NOT NULL         -- JSON, see fields.rs
) STRICT;

INSERT INTO task_fields (task, fields)
    SELECT id, json_object('headers', options -> '$.headers', 'user_agent', options -> '$.user_agent')
    FROM task
    WHERE finished_at IS NULL AND (options -> '$.headers' IS NOT NULL
        OR options -> '$.user_agent' IS NOT NULL);

UPDATE task SET options = json_remove(options, '$.headers', '$.user_agent')
    WHERE options -> '$.headers' IS NOT NULL OR options -> '$.user_agent' IS NOT NULL;
