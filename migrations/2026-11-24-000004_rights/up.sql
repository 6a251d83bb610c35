-- Whoever changes a role, and by whatever means, open subscriptions of the person hear of it at the commit.

CREATE FUNCTION tell_rights() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    -- The column with the person's id is the trigger's argument.
    was text := to_jsonb(OLD) ->> TG_ARGV[0];
    is_now text := to_jsonb(NEW) ->> TG_ARGV[0];
BEGIN
    PERFORM pg_notify('platform_revocations', 'rights ' || who)
    FROM unnest(ARRAY[was, is_now]) AS who WHERE who IS NOT NULL;
    RETURN NULL;
END
$$;

CREATE TRIGGER group_members_tell_rights AFTER INSERT OR UPDATE OR DELETE ON group_members
    FOR EACH ROW EXECUTE FUNCTION tell_rights('user_id');
CREATE TRIGGER users_tell_rights AFTER UPDATE OF platform_role, disabled_at, deleted_at ON users
    FOR EACH ROW EXECUTE FUNCTION tell_rights('id');
