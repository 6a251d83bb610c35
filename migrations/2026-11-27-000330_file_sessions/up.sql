-- People who look at the files of a storage claim, and the pods that show them.

-- Whoever has the ticket, and proves to be whoever opened the session, may use it. Both are secrets, and stored as SHA-256.
CREATE TABLE file_sessions (
    id            uuid PRIMARY KEY,
    claim_id      uuid NOT NULL REFERENCES storage_claims ON DELETE CASCADE,
    user_id       uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    -- What it was opened with, and ends with.
    session_id    uuid REFERENCES sessions ON DELETE CASCADE,
    api_token_id  uuid REFERENCES api_tokens ON DELETE CASCADE,
    ticket_hash   bytea NOT NULL,
    cookie_hash   bytea NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_used_at  timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    CHECK (num_nonnulls(session_id, api_token_id) = 1)
);
CREATE UNIQUE INDEX file_sessions_ticket_key ON file_sessions (ticket_hash);
CREATE INDEX file_sessions_claim_idx ON file_sessions (claim_id);
CREATE INDEX file_sessions_user_idx ON file_sessions (user_id, created_at, id);
CREATE INDEX file_sessions_session_idx ON file_sessions (session_id);
CREATE INDEX file_sessions_token_idx ON file_sessions (api_token_id);
CREATE INDEX file_sessions_used_idx ON file_sessions (last_used_at);

-- The pod of a claim. The row comes before the pod and goes after it; it outlives the claim, so there is no foreign key.
CREATE TABLE file_pods (
    claim_id        uuid PRIMARY KEY,
    namespace       text NOT NULL,
    claim_name      text NOT NULL,
    -- Whether nobody can write through the claim.
    read_only       boolean NOT NULL,
    phase           text NOT NULL DEFAULT 'STARTING' CHECK (phase IN ('STARTING', 'READY', 'FAILED')),
    message         text,
    -- When the worker looks at it.
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    attempts        integer NOT NULL DEFAULT 0
);
CREATE INDEX file_pods_due_idx ON file_pods (next_attempt_at);

-- Every replica ends the transfers of a session that is gone, and its pod is no longer needed.
CREATE FUNCTION file_session_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('platform_revocations', 'files ' || OLD.id);
    UPDATE file_pods SET next_attempt_at = now() WHERE claim_id = OLD.claim_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER file_session_ends AFTER DELETE ON file_sessions
    FOR EACH ROW EXECUTE FUNCTION file_session_ends();

-- A claim that cannot be used any more has no sessions: its pod must not keep it from being deleted.
CREATE FUNCTION claim_ends_file_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM file_sessions WHERE claim_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER claim_ends_file_sessions AFTER UPDATE OF phase, delete_requested_at ON storage_claims
    FOR EACH ROW WHEN (NEW.phase IN ('LOST', 'FAILED', 'DELETING') OR NEW.delete_requested_at IS NOT NULL)
    EXECUTE FUNCTION claim_ends_file_sessions();

-- Whoever changes what a claim grants, and by whatever means, open transfers hear of it at the commit.
CREATE FUNCTION tell_claim_grants() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    -- The column with the claim's id is the trigger's argument.
    was text := to_jsonb(OLD) ->> TG_ARGV[0];
    is_now text := to_jsonb(NEW) ->> TG_ARGV[0];
BEGIN
    PERFORM pg_notify('platform_revocations', 'claim ' || coalesce(is_now, was));
    RETURN NULL;
END
$$;
CREATE TRIGGER storage_claims_tell_grants AFTER UPDATE OF default_access, admin_only, read_only ON storage_claims
    FOR EACH ROW WHEN ((OLD.default_access, OLD.admin_only, OLD.read_only)
                       IS DISTINCT FROM (NEW.default_access, NEW.admin_only, NEW.read_only))
    EXECUTE FUNCTION tell_claim_grants('id');
CREATE TRIGGER storage_permissions_tell_grants AFTER INSERT OR UPDATE OR DELETE ON storage_permissions
    FOR EACH ROW EXECUTE FUNCTION tell_claim_grants('claim_id');
