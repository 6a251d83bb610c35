-- The queues that are paused: their jobs are not sent to the cluster.
CREATE TABLE queue_pauses (
    queue     text PRIMARY KEY,
    note      text NOT NULL,
    paused_by uuid NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    paused_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX queue_pauses_user_idx ON queue_pauses (paused_by);

-- What waits and runs in a queue, and what waits before a job.
CREATE INDEX jobs_in_queue_idx ON jobs (queue, phase, submitted_at, id) INCLUDE (gpu)
    WHERE phase IN ('SUBMITTED', 'QUEUED', 'RUNNING');
