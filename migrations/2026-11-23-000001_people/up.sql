-- People, their sessions, the groups they are in and the groups' projects.

CREATE TABLE users (
    id            uuid PRIMARY KEY,
    username      text NOT NULL CHECK (username ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    display_name  text NOT NULL,
    email         text,
    password_hash text NOT NULL,
    platform_role text NOT NULL DEFAULT 'USER' CHECK (platform_role IN ('ADMIN', 'USER')),
    disabled_at   timestamptz,
    deleted_at    timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_username_key ON users (username);
CREATE INDEX users_created_idx ON users (created_at, id);

CREATE TABLE sessions (
    id                 uuid PRIMARY KEY,
    user_id            uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- SHA-256 of the refresh token in force; the token itself is never stored.
    refresh_hash       bytea NOT NULL,
    -- SHA-256 of the part that all refresh tokens of the session share: one that has this and is not the one in
    -- force was used before, so somebody has a copy.
    family_hash        bytea NOT NULL,
    expires_at         timestamptz NOT NULL,
    ended_at           timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now(),
    last_used_at       timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX sessions_refresh_key ON sessions (refresh_hash);
CREATE INDEX sessions_user_idx ON sessions (user_id);

CREATE TABLE groups (
    id          uuid PRIMARY KEY,
    name        text NOT NULL,
    description text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX groups_name_key ON groups (name);
CREATE INDEX groups_created_idx ON groups (created_at, id);

CREATE TABLE group_members (
    group_id  uuid NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    user_id   uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role      text NOT NULL CHECK (role IN ('ADMIN', 'MANAGER', 'MEMBER')),
    joined_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX group_members_user_idx ON group_members (user_id, joined_at, group_id);
CREATE INDEX group_members_group_idx ON group_members (group_id, joined_at, user_id);

CREATE TABLE projects (
    id          uuid PRIMARY KEY,
    group_id    uuid NOT NULL REFERENCES groups (id) ON DELETE RESTRICT,
    name        text NOT NULL,
    description text NOT NULL DEFAULT '',
    namespace   text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX projects_group_name_key ON projects (group_id, name);
CREATE UNIQUE INDEX projects_namespace_key ON projects (namespace);
CREATE INDEX projects_created_idx ON projects (created_at, id);
CREATE INDEX projects_group_created_idx ON projects (group_id, created_at, id);
CREATE INDEX projects_name_idx ON projects (name, id);

-- What a project may have at a time; NULL means no limit of its own.
CREATE TABLE project_quotas (
    project_id      uuid PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
    gpu             integer CHECK (gpu >= 0),
    cpu_millis      bigint CHECK (cpu_millis >= 0),
    memory_bytes    bigint CHECK (memory_bytes >= 0),
    concurrent_jobs integer CHECK (concurrent_jobs >= 0),
    updated_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE audit_log (
    id         uuid NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    actor_id   uuid REFERENCES users (id) ON DELETE SET NULL,
    action     text NOT NULL,
    subject    text NOT NULL,
    detail     jsonb NOT NULL DEFAULT '{}',
    request_id text,
    PRIMARY KEY (id)
);
CREATE INDEX audit_log_at_idx ON audit_log (at, id);
CREATE INDEX audit_log_actor_idx ON audit_log (actor_id, at);

-- The first answer to a mutation that starts something in the cluster, by its caller's key.
CREATE TABLE idempotency_keys (
    user_id    uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    mutation   text NOT NULL,
    key        text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    -- SHA-256 of the input: the same key with another input is an error.
    input_hash bytea NOT NULL,
    subject_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, mutation, key)
);
CREATE INDEX idempotency_keys_created_idx ON idempotency_keys (created_at);
