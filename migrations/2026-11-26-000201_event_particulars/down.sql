-- The version before does not know them.
UPDATE events SET payload = payload - 'job' WHERE kind = 'job' AND payload ? 'job';
