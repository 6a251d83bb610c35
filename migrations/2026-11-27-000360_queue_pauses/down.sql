DROP INDEX jobs_in_queue_idx;
DROP TABLE queue_pauses;
