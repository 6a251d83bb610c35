-- Copy: what was in the log before. Nobody waits for it. What retention removes meanwhile of the old table is removed of
-- the new one by its age.
INSERT INTO events (seq, kind, subject, project, "group", person, payload, at)
SELECT seq, 'job', job_id, project_id, group_id, submitted_by,
       jsonb_strip_nulls(jsonb_build_object('kind', kind, 'phase', phase,
           'previousPhase', previous_phase, 'reason', reason, 'message', message)),
       at
FROM job_events
ON CONFLICT (seq) DO NOTHING;
