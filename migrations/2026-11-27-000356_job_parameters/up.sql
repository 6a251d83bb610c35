-- The values of the parameters of the template that a job was made from, by name; NULL if it has none.
ALTER TABLE jobs ADD COLUMN parameters jsonb;
