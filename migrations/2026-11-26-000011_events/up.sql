-- Expand: one log for the events of every room. What the version before writes stands in both tables until it is alone.

-- A row belongs to no other table: an event is told though what it is about has gone. seq is taken under an advisory lock
-- held until commit, so it is in commit order. The numbers go on where those of job_events are: a cursor stays good.
CREATE TABLE events (
    seq     bigint PRIMARY KEY DEFAULT nextval('job_events_seq'),
    -- Which room's type the payload is.
    kind    text NOT NULL,
    -- What it is about, and whose that is. Null where it is nobody's.
    subject uuid NOT NULL,
    project uuid,
    "group" uuid,
    person  uuid,
    payload jsonb NOT NULL,
    at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX events_subject_idx ON events (subject, seq);
CREATE INDEX events_project_idx ON events (project, kind, seq);
CREATE INDEX events_group_idx ON events ("group", kind, seq);
CREATE INDEX events_person_idx ON events (person, kind, seq);
CREATE INDEX events_at_idx ON events (at);

-- Waits for those who are writing, so that whatever is not told here has committed and is copied by the next migration.
CREATE FUNCTION mirror_job_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO events (seq, kind, subject, project, "group", person, payload, at)
    VALUES (NEW.seq, 'job', NEW.job_id, NEW.project_id, NEW.group_id, NEW.submitted_by,
            jsonb_strip_nulls(jsonb_build_object('kind', NEW.kind, 'phase', NEW.phase,
                'previousPhase', NEW.previous_phase, 'reason', NEW.reason, 'message', NEW.message)),
            NEW.at);
    RETURN NULL;
END $$;
CREATE TRIGGER mirror_job_event AFTER INSERT ON job_events FOR EACH ROW EXECUTE FUNCTION mirror_job_event();
