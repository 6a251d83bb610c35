DROP TRIGGER mirror_job_event ON job_events;
DROP FUNCTION mirror_job_event();
DROP TABLE events;
