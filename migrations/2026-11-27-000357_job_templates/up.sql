-- The versions of config files that can be run, so that they are listed along an index whatever else a project keeps.
-- Triggers keep the table, so that it has exactly these versions, whoever writes them.
CREATE TABLE job_templates (
    -- The version.
    id             uuid PRIMARY KEY REFERENCES config_commits (id) ON DELETE CASCADE,
    config_file_id uuid NOT NULL REFERENCES config_files (id) ON DELETE CASCADE,
    project_id     uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    kind           text NOT NULL CHECK (kind IN ('JOB', 'WORKFLOW')),
    -- Whether no later version of the config file exists.
    is_latest      boolean NOT NULL,
    created_at     timestamptz NOT NULL
);
CREATE INDEX job_templates_created_idx ON job_templates (created_at, id);
CREATE INDEX job_templates_project_idx ON job_templates (project_id, created_at, id);
CREATE INDEX job_templates_kind_idx ON job_templates (kind, created_at, id);
CREATE INDEX job_templates_file_idx ON job_templates (config_file_id, created_at, id);
CREATE INDEX job_templates_latest_idx ON job_templates (created_at, id) WHERE is_latest;

-- When a user last ran a template.
CREATE INDEX jobs_commit_user_idx ON jobs (config_commit_id, submitted_by, submitted_at)
    WHERE config_commit_id IS NOT NULL;

-- What the documents of a YAML can be run as; NULL if they cannot.
CREATE FUNCTION template_kind(kinds text[]) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN 'Workflow' = ANY (kinds) THEN 'WORKFLOW'
                WHEN kinds && ARRAY['Pod', 'Job', 'FlashJob'] THEN 'JOB' END
$$;

CREATE FUNCTION add_job_template() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE job_templates SET is_latest = false WHERE config_file_id = NEW.config_file_id AND is_latest;
    INSERT INTO job_templates (id, config_file_id, project_id, kind, is_latest, created_at)
    SELECT NEW.id, config_files.id, project_id, template_kind(kinds), true, NEW.created_at
      FROM config_files, config_blobs
     WHERE config_files.id = NEW.config_file_id AND deleted_at IS NULL
       AND sha256 = NEW.blob_sha256 AND template_kind(kinds) IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER add_job_template AFTER INSERT ON config_commits FOR EACH ROW EXECUTE FUNCTION add_job_template();

CREATE FUNCTION remove_job_templates() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM job_templates WHERE config_file_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER remove_job_templates AFTER UPDATE OF deleted_at ON config_files
    FOR EACH ROW WHEN (NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION remove_job_templates();

INSERT INTO job_templates (id, config_file_id, project_id, kind, is_latest, created_at)
SELECT version.id, config_files.id, project_id, template_kind(kinds),
       NOT EXISTS (SELECT FROM config_commits child WHERE child.parent_id = version.id), version.created_at
  FROM config_commits version
  JOIN config_files ON config_files.id = version.config_file_id
  JOIN config_blobs ON config_blobs.sha256 = version.blob_sha256
 WHERE deleted_at IS NULL AND template_kind(kinds) IS NOT NULL;
