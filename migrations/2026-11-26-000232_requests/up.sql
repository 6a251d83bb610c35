-- Requests of users to those who are responsible for a group or the platform, and the messages in them.

CREATE TABLE requests (
    id          uuid PRIMARY KEY,
    author_id   uuid NOT NULL REFERENCES users (id),
    tag         text NOT NULL CHECK (tag IN ('FEATURE', 'BUG', 'QUESTION', 'RESOURCE', 'ACCESS', 'IMAGE', 'OTHER')),
    title       text NOT NULL,
    status      text NOT NULL DEFAULT 'OPEN' CHECK (status IN ('OPEN', 'IN_PROGRESS', 'RESOLVED', 'REJECTED')),
    -- Of what it is about; both are NULL for the platform, and a project comes with its group.
    group_id    uuid REFERENCES groups (id) ON DELETE CASCADE,
    project_id  uuid REFERENCES projects (id) ON DELETE CASCADE,
    -- What is changed when it is resolved: a role for the author, or limits of the project.
    wanted      jsonb,
    applied_at  timestamptz,
    resolved_by uuid REFERENCES users (id),
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    CHECK (project_id IS NULL OR group_id IS NOT NULL)
);
CREATE INDEX requests_created_idx ON requests (created_at, id);
CREATE INDEX requests_author_idx ON requests (author_id, created_at, id);
CREATE INDEX requests_group_idx ON requests (group_id, created_at, id);
CREATE INDEX requests_project_idx ON requests (project_id, created_at, id);
CREATE INDEX requests_resolved_by_idx ON requests (resolved_by);

CREATE TABLE request_messages (
    id         uuid PRIMARY KEY,
    request_id uuid NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
    author_id  uuid NOT NULL REFERENCES users (id),
    text       text NOT NULL,
    -- The status that the request has since this message, if it changed it.
    status     text CHECK (status IN ('OPEN', 'IN_PROGRESS', 'RESOLVED', 'REJECTED')),
    created_at timestamptz NOT NULL
);
CREATE INDEX request_messages_request_idx ON request_messages (request_id, created_at, id);
CREATE INDEX request_messages_author_idx ON request_messages (author_id);
