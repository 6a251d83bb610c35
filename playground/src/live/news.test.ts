// Events that are not about jobs, in the words of the live strip.
import { expect, test } from 'vitest';
import { newsOf } from './news';
import { viewOf } from './timeline';

test('a notification is its message', () => {
  const notification = { kind: 'REQUEST_ANSWERED', message: 'maya resolved “More CPUs”', createdAt: 't' };
  expect(newsOf({ cursor: 'c1', notification })).toEqual({
    kind: 'news',
    at: 't',
    what: 'request answered',
    tone: 'plain',
    text: 'maya resolved “More CPUs”',
    cursor: 'c1',
  });
});

test('a request tells its title and what was said last', () => {
  const messages = { nodes: [{ author: { username: 'maya' }, text: 'Done.' }] };
  const request = { title: 'More CPUs', messages };
  expect(newsOf({ at: 't', kind: 'STATUS_CHANGED', status: 'RESOLVED', request })).toMatchObject({
    what: 'resolved',
    tone: 'good',
    text: 'More CPUs · maya: Done.',
  });
  expect(newsOf({ at: 't', kind: 'REPLIED', status: 'OPEN', request })?.what).toBe('replied');
});

test('an entry of the audit log tells who did what to what', () => {
  const entry = {
    at: 't',
    action: 'setProjectLimits',
    outcome: 'DONE',
    actor: { username: 'maya' },
    group: { name: 'vision' },
    project: { name: 'detection' },
  };
  expect(newsOf({ entry })).toMatchObject({ tone: 'good', text: 'setProjectLimits · maya · detection' });
  const refused = {
    ...entry,
    outcome: 'REFUSED',
    actor: null,
    group: null,
    project: null,
    subjectId: 'user_1',
  };
  expect(newsOf({ entry: refused })).toMatchObject({ tone: 'bad', text: 'setProjectLimits · user_1' });
});

test('what a project uses is told against its limits', () => {
  const resources = [
    { resource: 'CPU', used: '500m', reserved: '2', limit: '16' },
    { resource: 'QUEUED_JOBS', used: '0', reserved: '0', limit: null },
  ];
  expect(viewOf({ data: { quotaUsage: { project: { name: 'detection' }, resources } } })).toMatchObject({
    kind: 'news',
    what: 'detection',
    text: 'cpu 500m and 2 waiting of 16 · queued jobs 0',
  });
});

test('what is none of these stays as it came', () => {
  expect(newsOf({ anything: 1 })).toBeNull();
});
