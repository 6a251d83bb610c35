-- The refresh tokens that were replaced within the last seconds, newest first: SHA-256 of each, and when it was used.
-- The same refresh again gets the same tokens, for two tabs of a browser and for a response that was lost.
ALTER TABLE sessions ADD COLUMN used_hashes bytea[] NOT NULL DEFAULT '{}';
ALTER TABLE sessions ADD COLUMN used_at timestamptz[] NOT NULL DEFAULT '{}';
