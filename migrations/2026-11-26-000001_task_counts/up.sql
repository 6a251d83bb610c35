-- A job of many equal tasks keeps their template once.

ALTER TABLE jobs
    -- How many tasks each template of manifest's spec.tasks stands for, in order; NULL where each stands for one.
    ADD COLUMN task_counts    integer[] CHECK (0 < ALL (task_counts)),
    -- Bytes of the object with all its tasks, as JSON; NULL for a job that was submitted before this column was there.
    ADD COLUMN manifest_bytes bigint CHECK (manifest_bytes >= 0);
