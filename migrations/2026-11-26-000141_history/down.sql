-- The version before removes the history itself, by its age.
DROP TRIGGER remove_job_history ON jobs;
DROP FUNCTION remove_job_history();
ALTER TABLE event_horizon DROP COLUMN purged;
