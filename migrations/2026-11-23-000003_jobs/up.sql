-- Jobs and the log of what happened to them.

CREATE TABLE jobs (
    id                   uuid PRIMARY KEY,
    project_id           uuid NOT NULL REFERENCES projects (id) ON DELETE RESTRICT,
    submitted_by         uuid NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    config_commit_id     uuid REFERENCES config_commits (id) ON DELETE SET NULL,
    name                 text NOT NULL,
    queue                text NOT NULL,
    priority             integer NOT NULL,
    executor             text NOT NULL CHECK (executor IN ('SCHEDULER', 'LOCAL')),
    phase                text NOT NULL
        CHECK (phase IN ('SUBMITTED', 'QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
    -- Set by cancelJob: the submit worker deletes the object, its disappearance settles the phase.
    cancel_requested_at  timestamptz,
    reason               text,
    message              text,
    pending_reason       text,
    preemptions          integer NOT NULL DEFAULT 0 CHECK (preemptions >= 0),
    -- The object exactly as it goes to the cluster.
    manifest             jsonb NOT NULL,
    -- One entry a task: state, exit code, signal, reason, pod and node.
    tasks                jsonb NOT NULL DEFAULT '[]',
    namespace            text NOT NULL,
    object_name          text NOT NULL,
    object_uid           text,
    -- resourceVersion of the newest state applied; an older watch event changes nothing.
    object_version       bigint,
    -- What all tasks together ask for: counted against the project's quota while the job is not finished.
    gpu                  integer NOT NULL DEFAULT 0 CHECK (gpu >= 0),
    cpu_millis           bigint NOT NULL DEFAULT 0 CHECK (cpu_millis >= 0),
    memory_bytes         bigint NOT NULL DEFAULT 0 CHECK (memory_bytes >= 0),
    deadline_seconds     bigint CHECK (deadline_seconds > 0),
    ttl_seconds          bigint CHECK (ttl_seconds >= 0),
    retry_limit          integer NOT NULL DEFAULT 0 CHECK (retry_limit >= 0),
    submit_attempts      integer NOT NULL DEFAULT 0,
    -- When the submit worker looks at it next; NULL when the cluster has it and nothing is to do.
    next_attempt_at      timestamptz DEFAULT now(),
    submitted_at         timestamptz NOT NULL DEFAULT now(),
    started_at           timestamptz,
    finished_at          timestamptz,
    CHECK ((finished_at IS NOT NULL) = (phase IN ('SUCCEEDED', 'FAILED', 'CANCELLED')))
);
CREATE UNIQUE INDEX jobs_object_key ON jobs (namespace, object_name);
CREATE INDEX jobs_submitted_idx ON jobs (submitted_at, id);
CREATE INDEX jobs_project_idx ON jobs (project_id, submitted_at, id);
CREATE INDEX jobs_submitter_idx ON jobs (submitted_by, submitted_at, id);
CREATE INDEX jobs_active_idx ON jobs (project_id) WHERE phase IN ('SUBMITTED', 'QUEUED', 'RUNNING');
CREATE INDEX jobs_phase_idx ON jobs (phase, submitted_at, id);
CREATE INDEX jobs_commit_idx ON jobs (config_commit_id) WHERE config_commit_id IS NOT NULL;
CREATE INDEX jobs_due_idx ON jobs (next_attempt_at) WHERE next_attempt_at IS NOT NULL;

-- Append-only. seq is taken under an advisory lock held until commit, so it is in commit order.
CREATE SEQUENCE job_events_seq;
CREATE TABLE job_events (
    seq            bigint PRIMARY KEY,
    job_id         uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    project_id     uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    group_id       uuid NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    submitted_by   uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind           text NOT NULL
        CHECK (kind IN ('SUBMITTED', 'PHASE_CHANGED', 'PREEMPTED', 'CANCEL_REQUESTED', 'WAITING', 'TASK_CHANGED')),
    phase          text NOT NULL,
    previous_phase text,
    reason         text,
    message        text,
    at             timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX job_events_job_idx ON job_events (job_id, seq);
CREATE INDEX job_events_project_idx ON job_events (project_id, seq);
CREATE INDEX job_events_at_idx ON job_events (at);

-- The newest number that retention has removed: cursors before it cannot be resumed from. One row.
CREATE TABLE event_horizon (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    seq      bigint NOT NULL DEFAULT 0
);
INSERT INTO event_horizon DEFAULT VALUES;
