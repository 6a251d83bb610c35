-- Config files, versioned like git: a commit points at a content-addressed blob and at its parent.

CREATE TABLE config_blobs (
    sha256  bytea PRIMARY KEY CHECK (length(sha256) = 32),
    yaml    text NOT NULL,
    -- The kinds of the documents in it, in order.
    kinds   text[] NOT NULL
);

CREATE TABLE config_files (
    id         uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX config_files_project_name_key ON config_files (project_id, name);
CREATE INDEX config_files_created_idx ON config_files (project_id, created_at, id);

CREATE TABLE config_commits (
    id             uuid PRIMARY KEY,
    config_file_id uuid NOT NULL REFERENCES config_files (id) ON DELETE CASCADE,
    parent_id      uuid REFERENCES config_commits (id) ON DELETE RESTRICT,
    blob_sha256    bytea NOT NULL REFERENCES config_blobs (sha256) ON DELETE RESTRICT,
    message        text NOT NULL,
    author_id      uuid NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    created_at     timestamptz NOT NULL DEFAULT now()
);
-- History is a line: a commit has one child at most, a file one root.
CREATE UNIQUE INDEX config_commits_child_key ON config_commits (config_file_id, parent_id);
CREATE UNIQUE INDEX config_commits_root_key ON config_commits (config_file_id) WHERE parent_id IS NULL;
CREATE INDEX config_commits_file_idx ON config_commits (config_file_id, created_at, id);
CREATE INDEX config_commits_parent_idx ON config_commits (parent_id);
CREATE INDEX config_commits_blob_idx ON config_commits (blob_sha256);
CREATE INDEX config_commits_author_idx ON config_commits (author_id);
