-- A resumed feed of a group's or of one's own jobs reads its part of the log and not all of it.
CREATE INDEX job_events_group_idx ON job_events (group_id, seq);
CREATE INDEX job_events_submitter_idx ON job_events (submitted_by, seq);
