-- Users as OpenID Connect providers know them. An email address identifies nobody: providers reassign them.
CREATE TABLE user_identities (
    issuer       text NOT NULL,
    subject      text NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    user_id      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX user_identities_user_idx ON user_identities (user_id, created_at);

-- Sign-ins that were sent to a provider and have not returned. Only hashes: what they are hashes of is in the browser.
CREATE TABLE pending_sign_ins (
    state_hash   bytea PRIMARY KEY,
    browser_hash bytea NOT NULL,
    provider     text NOT NULL,
    return_to    text NOT NULL,
    -- Whether the page wants a code even where it could have a cookie.
    wants_code   boolean NOT NULL,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX pending_sign_ins_expires_idx ON pending_sign_ins (expires_at);

-- The codes that a page exchanges for a session after its user has signed in.
CREATE TABLE sign_in_codes (
    code_hash  bytea PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
CREATE INDEX sign_in_codes_expires_idx ON sign_in_codes (expires_at);
CREATE INDEX sign_in_codes_user_idx ON sign_in_codes (user_id);

-- ID tokens that were exchanged for a session, until they expire: each works once.
CREATE TABLE used_id_tokens (
    token_hash bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX used_id_tokens_expires_idx ON used_id_tokens (expires_at);
