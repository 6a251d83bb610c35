// A breaking change needs an entry in schema-changes.md.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { close, entriesOf, review } from './changes.mjs';

const RELEASED = 'type Query { job(id: ID!): String, jobs: [String!]! }';
const WITHOUT_JOB = 'type Query { jobs: [String!]! }';
const WITH_MORE = 'type Query { job(id: ID!): String, jobs: [String!]!, queue: String }';
const changelog = (...entries) =>
  [
    '# Schema changes',
    '',
    '## Since the last release',
    '',
    ...entries,
    '',
    '## 0.1.0',
    '',
    '- `Query.old`: gone.',
  ].join('\n');

test('a breaking change without an entry is a problem that names the entry', async () => {
  const { problems } = await review(RELEASED, WITHOUT_JOB, changelog());
  assert.deepEqual(problems, [
    `Field 'job' was removed from object type 'Query': this breaks clients and needs an entry "- \`Query.job\`: ..."`,
  ]);
});

test('a breaking change with an entry is fine', async () => {
  const { problems } = await review(RELEASED, WITHOUT_JOB, changelog('- `Query.job`: use `jobs`.'));
  assert.deepEqual(problems, []);
});

test('an entry without a reason is none', async () => {
  const { problems } = await review(RELEASED, WITHOUT_JOB, changelog('- `Query.job`:'));
  assert.equal(problems.length, 1);
});

test('an entry of an earlier release does not count', async () => {
  const old = 'type Query { old: String, jobs: [String!]! }';
  const { problems } = await review(old, WITHOUT_JOB, changelog());
  assert.equal(problems.length, 1);
});

test('an entry whose change is not there is a problem', async () => {
  const { problems } = await review(RELEASED, RELEASED, changelog('- `Query.job`: use `jobs`.'));
  assert.deepEqual(problems, ['the entry of `Query.job` is about no change that breaks clients']);
});

test('what is added needs no entry', async () => {
  const { changes, problems } = await review(RELEASED, WITH_MORE, changelog());
  assert.deepEqual([changes.length, problems], [1, []]);
});

test('a release closes the section and opens an empty one', () => {
  const closed = close(changelog('- `Query.job`: use `jobs`.'), '0.2.0');
  assert.equal(entriesOf(closed).size, 0);
  assert.match(closed, /## Since the last release\n\n## 0\.2\.0\n\n- `Query\.job`: use `jobs`\./);
});
