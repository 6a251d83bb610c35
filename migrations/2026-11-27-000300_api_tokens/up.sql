-- The tokens with which scripts call the API as their users.
CREATE TABLE api_tokens (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         text NOT NULL CHECK (name <> ''),
    scope        text NOT NULL CHECK (scope IN ('READ', 'SUBMIT', 'MANAGE', 'ADMIN')),
    -- A token for one project is worth nothing without the project.
    project_id   uuid REFERENCES projects (id) ON DELETE CASCADE,
    token_hash   bytea NOT NULL UNIQUE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at   timestamptz
);
-- A token that expires without being revoked gives up its name when the next one asks for it.
CREATE UNIQUE INDEX api_tokens_name_key ON api_tokens (user_id, name) WHERE revoked_at IS NULL;
CREATE INDEX api_tokens_user_idx ON api_tokens (user_id, created_at, id);
CREATE INDEX api_tokens_project_idx ON api_tokens (project_id);

-- Every replica hears of what is no longer valid, however it came to that.
CREATE FUNCTION tell_api_token() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('platform_revocations', 'api_token ' || OLD.id);
    RETURN NULL;
END
$$;

CREATE TRIGGER api_tokens_tell AFTER UPDATE OF scope, project_id, expires_at, revoked_at OR DELETE ON api_tokens
    FOR EACH ROW EXECUTE FUNCTION tell_api_token();
