DROP TRIGGER namespace_follows_limits ON project_quotas;
DROP FUNCTION namespace_follows_limits();
DROP TRIGGER namespace_follows_project ON projects;
DROP FUNCTION namespace_follows_project();
DROP TABLE project_namespaces;
ALTER TABLE project_quotas
    DROP COLUMN storage_bytes,
    DROP COLUMN queued_jobs,
    DROP COLUMN concurrent_jobs_per_user,
    DROP COLUMN queued_jobs_per_user,
    DROP COLUMN max_run_seconds;
DROP INDEX projects_archived_idx;
ALTER TABLE projects DROP COLUMN archived_at;
