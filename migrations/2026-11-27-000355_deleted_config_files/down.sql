-- Their names may be taken. Jobs that were made from them lose the link to the version.
DELETE FROM config_files WHERE deleted_at IS NOT NULL;
DROP INDEX config_files_project_name_key;
CREATE UNIQUE INDEX config_files_project_name_key ON config_files (project_id, name);
ALTER TABLE config_files DROP COLUMN deleted_at;
