ALTER TABLE groups DROP COLUMN max_members;
