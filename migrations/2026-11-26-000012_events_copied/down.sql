-- job_events has them all.
DELETE FROM events;
