-- The history of a job stays as long as the job. Retention limits how far back a cursor can be resumed, and removes what
-- belongs to nothing any more.

-- event_horizon.seq: cursors before it cannot be resumed. purged: retention has looked at all events up to here, and those
-- that are left are the history of something that exists. It is never beyond seq.
ALTER TABLE event_horizon ADD COLUMN purged bigint NOT NULL DEFAULT 0;
UPDATE event_horizon SET purged = seq;

-- What retention has already looked at goes with its job; it looks at the rest later. The lock makes one wait for the
-- other, so that neither overlooks what the other has not committed yet.
CREATE FUNCTION remove_job_history() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    looked_at bigint;
BEGIN
    SELECT purged INTO looked_at FROM event_horizon FOR SHARE;
    DELETE FROM events USING gone WHERE events.subject = gone.id AND events.seq <= looked_at;
    RETURN NULL;
END $$;
CREATE TRIGGER remove_job_history AFTER DELETE ON jobs REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION remove_job_history();
