ALTER TABLE jobs DROP COLUMN retried_from;
