UPDATE jobs SET message = cancel_reason
WHERE cancel_requested_at IS NOT NULL AND phase IN ('SUBMITTED', 'QUEUED', 'RUNNING');
ALTER TABLE jobs DROP COLUMN cancel_reason;
