ALTER TABLE audit_log DROP COLUMN api_token;
