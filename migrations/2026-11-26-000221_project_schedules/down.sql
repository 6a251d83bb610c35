DROP TABLE schedule_windows;
DROP FUNCTION week_of(uuid, int4range);
DROP TABLE project_schedules;
