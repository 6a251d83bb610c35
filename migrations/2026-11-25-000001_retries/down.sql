-- What a retry told is kept as the change of phase that it was.
UPDATE job_events SET kind = CASE WHEN previous_phase IS NULL THEN 'WAITING' ELSE 'PHASE_CHANGED' END
 WHERE kind = 'RETRYING';
ALTER TABLE job_events
    DROP CONSTRAINT job_events_kind_check,
    ADD CONSTRAINT job_events_kind_check CHECK (kind IN
        ('SUBMITTED', 'PHASE_CHANGED', 'PREEMPTED', 'CANCEL_REQUESTED', 'WAITING', 'TASK_CHANGED'));
ALTER TABLE jobs DROP COLUMN attempt;
