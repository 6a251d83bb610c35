-- A deleted config file keeps its versions for the jobs that were made from them. Its name is free for another.
ALTER TABLE config_files ADD COLUMN deleted_at timestamptz;
DROP INDEX config_files_project_name_key;
CREATE UNIQUE INDEX config_files_project_name_key ON config_files (project_id, name) WHERE deleted_at IS NULL;
