-- The previous version knows nothing of refused attempts, and of where a change came from.
CREATE TEMP TABLE audit_kept ON COMMIT DROP AS
    SELECT id, at, actor_id, action, subject, detail, request_id FROM audit_log
     WHERE outcome = 'DONE' AND subject IS NOT NULL;
DROP TABLE audit_log;

CREATE TABLE audit_log (
    id         uuid NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    actor_id   uuid REFERENCES users (id) ON DELETE SET NULL,
    action     text NOT NULL,
    subject    text NOT NULL,
    detail     jsonb NOT NULL DEFAULT '{}',
    request_id text,
    PRIMARY KEY (id)
);
INSERT INTO audit_log SELECT * FROM audit_kept;
CREATE INDEX audit_log_at_idx ON audit_log (at, id);
CREATE INDEX audit_log_actor_idx ON audit_log (actor_id, at);
