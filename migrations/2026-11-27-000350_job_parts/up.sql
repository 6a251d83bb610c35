-- A job whose tasks differ is run as several Kubernetes Jobs: what each of them reported last. Empty for all other jobs.
ALTER TABLE jobs ADD COLUMN parts jsonb NOT NULL DEFAULT '[]';
