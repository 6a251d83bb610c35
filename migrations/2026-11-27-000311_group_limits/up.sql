-- How many members a group can have; NULL for any number.

ALTER TABLE groups ADD COLUMN max_members integer CHECK (max_members >= 1);
