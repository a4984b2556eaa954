-- Whether an account is served, and what is closed to it.

ALTER TABLE account ADD COLUMN service TEXT NOT NULL DEFAULT '"active"'; -- mutable; JSON
ALTER TABLE account ADD COLUMN closed TEXT NOT NULL DEFAULT '[]';        -- mutable; features, as JSON
