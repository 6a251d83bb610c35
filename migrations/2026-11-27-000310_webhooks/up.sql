-- Where users want to have their notifications sent, and the notifications that have not been sent there yet.

CREATE TABLE webhooks (
    user_id           uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    url               text NOT NULL,
    -- The key of the signatures. It cannot be a hash, because each request is signed with it.
    secret            bytea NOT NULL,
    -- The kinds of notifications that are not sent.
    muted             text[] NOT NULL DEFAULT '{}',
    -- When the URL was set, which tells attempts for an older one apart.
    set_at            timestamptz NOT NULL,
    -- Since the last success.
    failures          integer NOT NULL DEFAULT 0,
    -- Later than now, if it has to wait after a failure.
    next_attempt_at   timestamptz NOT NULL DEFAULT now(),
    -- Until then, a worker has it.
    claimed_until     timestamptz,
    last_delivered_at timestamptz,
    last_failed_at    timestamptz,
    last_error        text,
    disabled_at       timestamptz
);

-- Written in the transaction of the notification. No foreign key to webhooks: a webhook that is removed at the same moment must
-- not make the transaction fail.
CREATE TABLE webhook_deliveries (
    -- That of the notification; of a test, it is the only place where the ID exists.
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    is_test    boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL
);
CREATE INDEX webhook_deliveries_user_idx ON webhook_deliveries (user_id, created_at, id);
