-- Accounts that wait for approval, what is shown of a session, one-time links for a new password, and each user's settings.

-- An account that waits is disabled as well, so that servers of the version before do not let it in.
ALTER TABLE users ADD COLUMN waiting boolean NOT NULL DEFAULT false CHECK (NOT waiting OR disabled_at IS NOT NULL);
ALTER TABLE users ADD COLUMN state text NOT NULL GENERATED ALWAYS AS (
    CASE WHEN deleted_at IS NOT NULL THEN 'DELETED' WHEN waiting THEN 'WAITING'
         WHEN disabled_at IS NOT NULL THEN 'DISABLED' ELSE 'ACTIVE' END) STORED;
CREATE INDEX users_state_idx ON users (state, username, id);
-- The last platform admin is looked for.
CREATE INDEX users_admins_idx ON users (id) WHERE platform_role = 'ADMIN';

ALTER TABLE sessions ADD COLUMN user_agent text;
ALTER TABLE sessions ADD COLUMN address text;
CREATE INDEX sessions_open_idx ON sessions (user_id, created_at, id) WHERE ended_at IS NULL;

CREATE TABLE password_resets (
    -- SHA-256 of the token in the link; the token itself is never stored.
    token_hash bytea PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
-- A new link replaces the one before.
CREATE UNIQUE INDEX password_resets_user_key ON password_resets (user_id);

CREATE TABLE user_settings (
    user_id    uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    theme      text NOT NULL DEFAULT 'SYSTEM' CHECK (theme IN ('SYSTEM', 'LIGHT', 'DARK')),
    language   text,
    -- The kinds of notifications that the user does not want.
    muted      text[] NOT NULL DEFAULT '{}',
    updated_at timestamptz NOT NULL DEFAULT now()
);
