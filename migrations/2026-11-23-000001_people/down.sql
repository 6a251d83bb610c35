DROP TABLE idempotency_keys;
DROP TABLE audit_log;
DROP TABLE project_quotas;
DROP TABLE projects;
DROP TABLE group_members;
DROP TABLE groups;
DROP TABLE sessions;
DROP TABLE users;
