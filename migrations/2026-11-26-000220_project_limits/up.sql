-- Projects can be archived, have more limits, and have a namespace that is kept in order.

ALTER TABLE projects ADD COLUMN archived_at timestamptz;
-- Most projects are active, so only the others need an index to be found among them.
CREATE INDEX projects_archived_idx ON projects (group_id, name) WHERE archived_at IS NOT NULL;

-- NULL means no limit. concurrent_jobs counts all unfinished jobs, queued_jobs those of them that have not started.
ALTER TABLE project_quotas
    ADD COLUMN storage_bytes bigint CHECK (storage_bytes >= 0),
    ADD COLUMN queued_jobs integer CHECK (queued_jobs >= 0),
    ADD COLUMN concurrent_jobs_per_user integer CHECK (concurrent_jobs_per_user >= 0),
    ADD COLUMN queued_jobs_per_user integer CHECK (queued_jobs_per_user >= 0),
    ADD COLUMN max_run_seconds bigint CHECK (max_run_seconds > 0);

-- The namespaces in the cluster, as the platform keeps them in order. A row outlives its project until the namespace has
-- gone.
CREATE TABLE project_namespaces (
    namespace     text PRIMARY KEY,
    project_id    uuid NOT NULL,
    -- A digest of what the cluster was last found or made to have. NULL if nothing was applied yet.
    applied       text,
    -- The project was deleted, and the namespace has to go.
    removing      boolean NOT NULL DEFAULT false,
    next_check_at timestamptz NOT NULL DEFAULT now(),
    attempts      integer NOT NULL DEFAULT 0
);
CREATE INDEX project_namespaces_due_idx ON project_namespaces (next_check_at);
CREATE INDEX project_namespaces_project_idx ON project_namespaces (project_id);
INSERT INTO project_namespaces (namespace, project_id) SELECT namespace, id FROM projects;

-- Whoever makes or removes a project, or changes its limits, and by whatever means: the namespace follows.
CREATE FUNCTION namespace_follows_project() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO project_namespaces (namespace, project_id) VALUES (NEW.namespace, NEW.id)
        ON CONFLICT (namespace) DO UPDATE
            SET project_id = NEW.id, applied = NULL, removing = false, next_check_at = now(), attempts = 0;
    ELSE
        UPDATE project_namespaces SET removing = true, next_check_at = now(), attempts = 0
        WHERE namespace = OLD.namespace;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER namespace_follows_project AFTER INSERT OR DELETE ON projects
    FOR EACH ROW EXECUTE FUNCTION namespace_follows_project();

CREATE FUNCTION namespace_follows_limits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE project_namespaces SET next_check_at = now(), attempts = 0
    WHERE project_id = CASE TG_OP WHEN 'DELETE' THEN OLD.project_id ELSE NEW.project_id END;
    RETURN NULL;
END $$;
CREATE TRIGGER namespace_follows_limits AFTER INSERT OR UPDATE OR DELETE ON project_quotas
    FOR EACH ROW EXECUTE FUNCTION namespace_follows_limits();
