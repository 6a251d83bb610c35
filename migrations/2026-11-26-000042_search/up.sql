-- Names are searched by the beginnings of their words; what joins words in names is a space to the parser.
CREATE FUNCTION name_words(name text) RETURNS tsvector LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
    $$ SELECT pg_catalog.to_tsvector('pg_catalog.simple', pg_catalog.translate(name, '-_./:@', '      ')) $$;

CREATE INDEX users_search_idx ON users USING gin (name_words(username || ' ' || display_name));
CREATE INDEX groups_search_idx ON groups USING gin (name_words(name));
CREATE INDEX projects_search_idx ON projects USING gin (name_words(name));
CREATE INDEX config_files_search_idx ON config_files USING gin (name_words(name));
CREATE INDEX jobs_search_idx ON jobs USING gin (name_words(name));

-- The other filters of jobs.
CREATE INDEX jobs_queue_idx ON jobs (queue, submitted_at, id);
CREATE INDEX jobs_name_idx ON jobs (name, submitted_at, id);
CREATE INDEX jobs_finished_idx ON jobs (finished_at) WHERE finished_at IS NOT NULL;

-- The order of all config files by name.
CREATE INDEX config_files_name_idx ON config_files (name, id);
