DROP INDEX jobs_commit_user_idx;
DROP TRIGGER remove_job_templates ON config_files;
DROP FUNCTION remove_job_templates();
DROP TRIGGER add_job_template ON config_commits;
DROP FUNCTION add_job_template();
DROP FUNCTION template_kind(text[]);
DROP TABLE job_templates;
