-- Each task has its template again.
UPDATE jobs
   SET manifest = jsonb_set(manifest, '{spec,tasks}', (
           SELECT coalesce(jsonb_agg(kept.template ORDER BY kept.place, copy), '[]')
             FROM jsonb_array_elements(manifest #> '{spec,tasks}') WITH ORDINALITY AS kept (template, place)
            CROSS JOIN LATERAL generate_series(1, task_counts[kept.place]) AS copy))
 WHERE task_counts IS NOT NULL;
ALTER TABLE jobs DROP COLUMN manifest_bytes, DROP COLUMN task_counts;
