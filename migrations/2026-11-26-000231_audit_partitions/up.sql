-- The audit log says who did what, from where, and what was refused. It is partitioned by month, so that old entries are
-- dropped and not deleted. The table as it was becomes the first partition: nothing is copied, and replicas of the previous
-- version keep writing their columns.

ALTER TABLE audit_log RENAME TO audit_log_before;
ALTER TABLE audit_log_before DROP CONSTRAINT audit_log_pkey;
DROP INDEX audit_log_at_idx, audit_log_actor_idx;
ALTER TABLE audit_log_before
    -- An attempt that was refused may be about the platform itself.
    ALTER COLUMN subject DROP NOT NULL,
    ADD COLUMN outcome    text NOT NULL DEFAULT 'DONE' CHECK (outcome IN ('DONE', 'REFUSED')),
    ADD COLUMN "group"    uuid,
    ADD COLUMN project    uuid,
    -- By field: {"before": ..., "after": ...}, without secrets.
    ADD COLUMN changes    jsonb NOT NULL DEFAULT '{}',
    -- How often the same attempt was refused in a row.
    ADD COLUMN times      integer NOT NULL DEFAULT 1,
    ADD COLUMN credential text,
    ADD COLUMN address    text,
    ADD COLUMN user_agent text;

CREATE TABLE audit_log (LIKE audit_log_before INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY RANGE (at);
ALTER TABLE audit_log
    ADD PRIMARY KEY (id, at),
    ADD FOREIGN KEY (actor_id) REFERENCES users (id) ON DELETE SET NULL;
CREATE INDEX audit_log_at_idx ON audit_log (at, id);
CREATE INDEX audit_log_actor_idx ON audit_log (actor_id, at, id);
CREATE INDEX audit_log_subject_idx ON audit_log (subject, at, id);
CREATE INDEX audit_log_group_idx ON audit_log ("group", at, id);
CREATE INDEX audit_log_project_idx ON audit_log (project, at, id);

DO $$
DECLARE
    newest timestamptz := greatest(now(), (SELECT max(at) FROM audit_log_before));
    ends timestamptz := (date_trunc('month', newest AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
BEGIN
    EXECUTE format('ALTER TABLE audit_log ATTACH PARTITION audit_log_before FOR VALUES FROM (MINVALUE) TO (%L)', ends);
END $$;
-- For entries of a month whose partition is not there yet; the server makes it, and moves them.
CREATE TABLE audit_log_other PARTITION OF audit_log DEFAULT;
