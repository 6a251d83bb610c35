-- An event says what filters of jobs go by, so that a feed needs nothing but the log. Those of before are told now.
UPDATE events
SET payload = payload || jsonb_build_object('job', jsonb_strip_nulls(jsonb_build_object(
        'name', jobs.name,
        'queue', jobs.queue,
        'configFile', config_commits.config_file_id,
        'submittedAt', jobs.submitted_at,
        'finishedAt', CASE WHEN payload ->> 'phase' IN ('SUCCEEDED', 'FAILED', 'CANCELLED') THEN jobs.finished_at END)))
FROM jobs LEFT JOIN config_commits ON config_commits.id = jobs.config_commit_id
WHERE events.kind = 'job' AND events.subject = jobs.id AND NOT payload ? 'job';
