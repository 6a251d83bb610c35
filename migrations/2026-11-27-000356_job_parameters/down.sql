ALTER TABLE jobs DROP COLUMN parameters;
