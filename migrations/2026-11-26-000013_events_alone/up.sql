-- Contract: the copy takes over. A replica of the version before reads and writes the same rows under the old name, so it
-- hears of what the new ones tell and they of what it tells. The next release, which no such replica is beside any more,
-- drops the view and its function and calls the sequence events_seq.
DROP TABLE job_events;
DROP FUNCTION mirror_job_event();

CREATE VIEW job_events AS
SELECT seq,
       subject AS job_id,
       project AS project_id,
       "group" AS group_id,
       person AS submitted_by,
       payload ->> 'kind' AS kind,
       payload ->> 'phase' AS phase,
       payload ->> 'previousPhase' AS previous_phase,
       payload ->> 'reason' AS reason,
       payload ->> 'message' AS message,
       at
FROM events WHERE kind = 'job';

CREATE FUNCTION write_job_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM events WHERE seq = OLD.seq;
        RETURN OLD;
    END IF;
    INSERT INTO events (seq, kind, subject, project, "group", person, payload, at)
    VALUES (NEW.seq, 'job', NEW.job_id, NEW.project_id, NEW.group_id, NEW.submitted_by,
            jsonb_strip_nulls(jsonb_build_object('kind', NEW.kind, 'phase', NEW.phase,
                'previousPhase', NEW.previous_phase, 'reason', NEW.reason, 'message', NEW.message)),
            coalesce(NEW.at, now()));
    RETURN NEW;
END $$;
CREATE TRIGGER write_job_event INSTEAD OF INSERT OR DELETE ON job_events
    FOR EACH ROW EXECUTE FUNCTION write_job_event();
