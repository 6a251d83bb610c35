DROP INDEX job_events_submitter_idx;
DROP INDEX job_events_group_idx;
