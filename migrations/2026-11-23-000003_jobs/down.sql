DROP TABLE event_horizon;
DROP TABLE job_events;
DROP SEQUENCE job_events_seq;
DROP TABLE jobs;
