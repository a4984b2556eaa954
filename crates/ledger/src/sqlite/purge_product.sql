-- Purges tell what was asked for: whose quota they charged.

ALTER TABLE purge ADD COLUMN product TEXT NOT NULL DEFAULT 'cdn-purge-url'; -- see quota
UPDATE purge SET product = 'cdn-purge-path' WHERE scope = 'path';
