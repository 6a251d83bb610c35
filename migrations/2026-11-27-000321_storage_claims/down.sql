ALTER TABLE groups DROP COLUMN storage_bytes;
DROP TABLE job_claims;
DROP TABLE storage_mounts;
DROP TABLE storage_permissions;
DROP TABLE storage_claims;
DROP FUNCTION share_leaves_volume();
DROP TABLE storage_leftovers;
