ALTER TABLE sessions DROP COLUMN used_at;
ALTER TABLE sessions DROP COLUMN used_hashes;
