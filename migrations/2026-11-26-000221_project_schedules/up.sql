-- When the jobs of a project can start: windows of a week, on the clock of a time zone.

CREATE TABLE project_schedules (
    project_id uuid PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
    time_zone  text NOT NULL,
    outside    text NOT NULL CHECK (outside IN ('WAIT', 'REFUSE')),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- The week of a project, on a line on which every project has a place of its own. Ranges of one project that overlap can
-- then be excluded with an index that every PostgreSQL has; uuid in such an index would need an extension.
CREATE FUNCTION week_of(project uuid, minutes int4range) RETURNS numrange LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT pg_catalog.numrange(place * 20000 + pg_catalog.lower(minutes), place * 20000 + pg_catalog.upper(minutes))
    FROM (SELECT ('x' || pg_catalog.substr(digits, 1, 16))::pg_catalog.bit(64)::bigint::numeric * 18446744073709551616
               + ('x' || pg_catalog.substr(digits, 17, 16))::pg_catalog.bit(64)::bigint::numeric AS place
          FROM pg_catalog.replace(project::text, '-', '') AS digits) AS placed
$$;

-- Minutes since Monday 00:00. A window that passes the end of the week is two rows.
CREATE TABLE schedule_windows (
    project_id uuid NOT NULL REFERENCES project_schedules (project_id) ON DELETE CASCADE,
    minutes    int4range NOT NULL
        CHECK (NOT isempty(minutes) AND lower(minutes) >= 0 AND upper(minutes) <= 10080),
    PRIMARY KEY (project_id, minutes),
    CONSTRAINT schedule_windows_overlap EXCLUDE USING gist (week_of(project_id, minutes) WITH &&)
);
