-- A job that failed is started again while retries are left.

-- Which attempt the job is at. While object_name is not yet this attempt's, the one before has failed and its object must
-- go first.
ALTER TABLE jobs ADD COLUMN attempt integer NOT NULL DEFAULT 1 CHECK (attempt >= 1);

ALTER TABLE job_events
    DROP CONSTRAINT job_events_kind_check,
    ADD CONSTRAINT job_events_kind_check CHECK (kind IN
        ('SUBMITTED', 'PHASE_CHANGED', 'PREEMPTED', 'CANCEL_REQUESTED', 'WAITING', 'TASK_CHANGED', 'RETRYING'));
