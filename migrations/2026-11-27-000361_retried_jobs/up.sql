-- The job that a job is a retry of.
ALTER TABLE jobs ADD COLUMN retried_from uuid REFERENCES jobs (id) ON DELETE SET NULL;
CREATE INDEX jobs_retried_idx ON jobs (retried_from, submitted_at, id) WHERE retried_from IS NOT NULL;
