-- Which API token was used. No foreign key: the audit log outlives what it is about.
ALTER TABLE audit_log ADD COLUMN api_token uuid;
