-- Why a user cancels a job. It becomes the job's message when the job has ended; until then that is about its phase.
ALTER TABLE jobs ADD COLUMN cancel_reason text;
UPDATE jobs SET cancel_reason = message, message = NULL
WHERE cancel_requested_at IS NOT NULL AND phase IN ('SUBMITTED', 'QUEUED', 'RUNNING');
UPDATE jobs SET cancel_reason = message WHERE cancel_requested_at IS NOT NULL AND phase = 'CANCELLED';
