-- Claims of storage (PersistentVolumeClaims) of projects, groups and users, who may use them, and what mounts them.

CREATE TABLE storage_claims (
    id              uuid PRIMARY KEY,
    -- Whose it is: a project's (with its group), a group's, or a user's.
    project_id      uuid REFERENCES projects ON DELETE CASCADE,
    group_id        uuid REFERENCES groups,
    user_id         uuid REFERENCES users,
    -- The object in the cluster.
    namespace       text NOT NULL,
    name            text NOT NULL,
    object_uid      text,
    object_version  bigint,
    volume_name     text,
    display_name    text NOT NULL,
    -- NULL for a claim that the platform did not create.
    created_by      uuid REFERENCES users,
    -- NULL for the default class of the cluster.
    storage_class   text,
    access_mode     text NOT NULL
        CHECK (access_mode IN ('READ_WRITE_ONCE', 'READ_ONLY_MANY', 'READ_WRITE_MANY', 'READ_WRITE_ONCE_POD')),
    -- The size that is wanted, as written and in bytes, and the size that the cluster was last asked for.
    size            text NOT NULL,
    size_bytes      bigint NOT NULL CHECK (size_bytes > 0),
    sent_bytes      bigint NOT NULL,
    capacity_bytes  bigint,
    phase           text NOT NULL
        CHECK (phase IN ('SUBMITTED', 'PENDING', 'BOUND', 'LOST', 'FAILED', 'DELETING')),
    reason          text,
    message         text,
    resize          text CHECK (resize IN ('IN_PROGRESS', 'WAITING_FOR_MOUNT', 'FAILED')),
    resize_message  text,
    -- What members of the group may do with it unless a permission says otherwise.
    default_access  text NOT NULL CHECK (default_access IN ('NONE', 'READ', 'WRITE')),
    admin_only      boolean NOT NULL DEFAULT false,
    -- The claim of a group or a user whose storage it shows in a project, and the user whose drive that is.
    source_id       uuid REFERENCES storage_claims ON DELETE SET NULL,
    shared_by       uuid REFERENCES users,
    read_only       boolean NOT NULL DEFAULT false,
    delete_requested_at timestamptz,
    -- When the worker looks at it; NULL if there is nothing to do.
    next_attempt_at timestamptz,
    attempts        integer NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT storage_claims_object_key UNIQUE (namespace, name),
    CHECK (num_nonnulls(group_id, user_id) = 1),
    CHECK (project_id IS NULL OR group_id IS NOT NULL)
);
CREATE INDEX storage_claims_created_idx ON storage_claims (created_at, id);
CREATE INDEX storage_claims_project_idx ON storage_claims (project_id, created_at, id);
CREATE INDEX storage_claims_group_idx ON storage_claims (group_id, created_at, id);
-- The claims of a group itself, which are few among those of its projects.
CREATE INDEX storage_claims_own_idx ON storage_claims (group_id, created_at, id) WHERE project_id IS NULL;
CREATE INDEX storage_claims_user_idx ON storage_claims (user_id, created_at, id);
CREATE INDEX storage_claims_creator_idx ON storage_claims (created_by);
-- Two volumes with one handle in a pod hang it (kubernetes#91556), so a project has at most one share of a claim.
CREATE UNIQUE INDEX storage_claims_share_key ON storage_claims (source_id, project_id);
CREATE INDEX storage_claims_sharer_idx ON storage_claims (shared_by);
CREATE INDEX storage_claims_class_idx ON storage_claims (storage_class);
CREATE INDEX storage_claims_due_idx ON storage_claims (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX storage_claims_search_idx ON storage_claims USING gin (name_words(display_name || ' ' || name));

-- What single users may do with a claim, whatever its default is.
CREATE TABLE storage_permissions (
    claim_id uuid NOT NULL REFERENCES storage_claims ON DELETE CASCADE,
    user_id  uuid NOT NULL REFERENCES users,
    access   text NOT NULL CHECK (access IN ('NONE', 'READ', 'WRITE')),
    PRIMARY KEY (claim_id, user_id)
);
CREATE INDEX storage_permissions_user_idx ON storage_permissions (user_id);

-- The pods that mount a claim now.
CREATE TABLE storage_mounts (
    claim_id  uuid NOT NULL REFERENCES storage_claims ON DELETE CASCADE,
    pod_uid   text NOT NULL,
    pod       text NOT NULL,
    -- The job that the pod belongs to, if it is a task.
    job_id    uuid,
    read_only boolean NOT NULL,
    since     timestamptz NOT NULL,
    PRIMARY KEY (claim_id, pod_uid)
);
CREATE INDEX storage_mounts_pod_idx ON storage_mounts (pod_uid);

-- The claims that jobs were submitted with.
CREATE TABLE job_claims (
    job_id    uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    claim_id  uuid NOT NULL REFERENCES storage_claims ON DELETE CASCADE,
    read_only boolean NOT NULL,
    PRIMARY KEY (job_id, claim_id)
);
CREATE INDEX job_claims_claim_idx ON job_claims (claim_id);

-- What is left in the cluster of shares that are gone: their volumes, and the protection of their sources.
CREATE TABLE storage_leftovers (
    share_id         uuid PRIMARY KEY,
    source_namespace text NOT NULL,
    source_name      text NOT NULL,
    source_id        uuid NOT NULL,
    next_attempt_at  timestamptz NOT NULL DEFAULT now(),
    attempts         integer NOT NULL DEFAULT 0
);
CREATE INDEX storage_leftovers_due_idx ON storage_leftovers (next_attempt_at);

-- Whatever removes a share: also the deletion of its project.
CREATE FUNCTION share_leaves_volume() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO storage_leftovers (share_id, source_id, source_namespace, source_name)
    SELECT OLD.id, id, namespace, name FROM storage_claims WHERE id = OLD.source_id
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER share_leaves_volume AFTER DELETE ON storage_claims
    FOR EACH ROW WHEN (OLD.source_id IS NOT NULL) EXECUTE FUNCTION share_leaves_volume();

-- How many bytes the claims of a group itself may have together; NULL for any number.
ALTER TABLE groups ADD COLUMN storage_bytes bigint CHECK (storage_bytes >= 0);
