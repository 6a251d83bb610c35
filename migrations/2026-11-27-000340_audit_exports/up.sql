-- Exports of the audit log that are written to the object store.

CREATE TABLE audit_exports (
    id              uuid PRIMARY KEY,
    requested_by    uuid NOT NULL REFERENCES users (id),
    -- Which entries, as in the input of the mutation.
    filter          jsonb NOT NULL,
    state           text NOT NULL DEFAULT 'QUEUED' CHECK (state IN ('QUEUED', 'RUNNING', 'COMPLETED', 'FAILED')),
    -- Written so far.
    entries         bigint NOT NULL DEFAULT 0,
    -- The size of the file, and where it is, if it is complete.
    bytes           bigint,
    object_key      text,
    -- Why it failed, or why it waits.
    message         text,
    attempts        integer NOT NULL DEFAULT 0,
    -- The attempt that works on it. A worker whose attempt is not this one any more stops.
    worker          uuid,
    -- When it is due, or when the worker is given up. Null if nothing is left to do.
    next_attempt_at timestamptz DEFAULT now(),
    created_at      timestamptz NOT NULL DEFAULT now(),
    started_at      timestamptz,
    finished_at     timestamptz,
    -- When it is removed with its file. Null as long as it is not finished.
    expires_at      timestamptz
);
CREATE INDEX audit_exports_user_idx ON audit_exports (requested_by);
CREATE INDEX audit_exports_created_idx ON audit_exports (created_at, id);
CREATE INDEX audit_exports_due_idx ON audit_exports (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX audit_exports_expiry_idx ON audit_exports (expires_at) WHERE expires_at IS NOT NULL;
