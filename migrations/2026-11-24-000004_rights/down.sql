DROP TRIGGER users_tell_rights ON users;
DROP TRIGGER group_members_tell_rights ON group_members;
DROP FUNCTION tell_rights();
