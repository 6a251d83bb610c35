-- 200 people, of whom 32 are platform admins, 50 groups of four, 250 projects (five a group), 100,000 jobs (400 a project). Fixed ids: planting twice adds nothing.
INSERT INTO users (id, username, display_name, password_hash, platform_role, created_at)
SELECT ('019b75e1-b800-7000-9001-' || lpad(to_hex(n), 12, '0'))::uuid,
       'bench-' || lpad(n::text, 3, '0'), 'Bench ' || n, current_setting('seed.password_hash'),
       CASE WHEN n <= 32 THEN 'ADMIN' ELSE 'USER' END,
       now() - n * interval '1 minute'
  FROM generate_series(1, 200) AS n
ON CONFLICT DO NOTHING;

INSERT INTO groups (id, name, description, created_at)
SELECT ('019b75e1-b800-7000-9002-' || lpad(to_hex(n), 12, '0'))::uuid,
       'bench-' || lpad(n::text, 2, '0'), 'Group ' || n || ' of the benchmark', now() - n * interval '1 minute'
  FROM generate_series(1, 50) AS n
ON CONFLICT DO NOTHING;

INSERT INTO group_members (group_id, user_id, role, joined_at)
SELECT ('019b75e1-b800-7000-9002-' || lpad(to_hex(1 + (n - 1) % 50), 12, '0'))::uuid,
       ('019b75e1-b800-7000-9001-' || lpad(to_hex(n), 12, '0'))::uuid,
       CASE WHEN n <= 50 THEN 'ADMIN' WHEN n <= 100 THEN 'MANAGER' ELSE 'MEMBER' END,
       now() - n * interval '1 second'
  FROM generate_series(1, 200) AS n
ON CONFLICT DO NOTHING;

INSERT INTO projects (id, group_id, name, description, namespace, created_at)
SELECT ('019b75e1-b800-7000-9003-' || lpad(to_hex(n), 12, '0'))::uuid,
       ('019b75e1-b800-7000-9002-' || lpad(to_hex(1 + (n - 1) % 50), 12, '0'))::uuid,
       'bench-' || lpad(n::text, 3, '0'), 'Project ' || n || ' of the benchmark', 'bench-' || n,
       now() - n * interval '1 minute'
  FROM generate_series(1, 250) AS n
ON CONFLICT DO NOTHING;

INSERT INTO jobs (id, project_id, submitted_by, name, queue, priority, executor, phase, reason, manifest, tasks,
                  namespace, object_name, next_attempt_at, submitted_at, started_at, finished_at)
SELECT ('019b75e1-b800-7000-9006-' || lpad(to_hex(n), 12, '0'))::uuid,
       ('019b75e1-b800-7000-9003-' || lpad(to_hex(1 + (n - 1) % 250), 12, '0'))::uuid,
       ('019b75e1-b800-7000-9001-' || lpad(to_hex(1 + (n - 1) % 200), 12, '0'))::uuid,
       'bench-' || n, 'default-batch', 0, 'SCHEDULER',
       CASE WHEN n % 10 = 0 THEN 'FAILED' WHEN n % 25 = 1 THEN 'CANCELLED' ELSE 'SUCCEEDED' END,
       CASE WHEN n % 10 = 0 THEN 'Error' END,
       '{"apiVersion": "scheduling.flash-sched.io/v1alpha1", "kind": "FlashJob"}', '[]',
       'bench', 'bench-' || n, NULL,
       at, at + interval '10 seconds', at + interval '10 minutes'
  FROM generate_series(1, 100000) AS n, LATERAL (SELECT now() - n * interval '30 seconds' AS at) AS submitted
ON CONFLICT DO NOTHING;
