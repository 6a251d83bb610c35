-- An ID for each membership, so that clients can keep it in their caches and refetch it. The default is for servers of the
-- version before, which do not know of the column.
ALTER TABLE group_members ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid();
CREATE UNIQUE INDEX group_members_id_key ON group_members (id);
