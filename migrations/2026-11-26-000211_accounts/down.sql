DROP TABLE user_settings;
DROP TABLE password_resets;
DROP INDEX sessions_open_idx;
ALTER TABLE sessions DROP COLUMN address;
ALTER TABLE sessions DROP COLUMN user_agent;
DROP INDEX users_admins_idx;
DROP INDEX users_state_idx;
ALTER TABLE users DROP COLUMN state;
ALTER TABLE users DROP COLUMN waiting;
