// What the live strip makes of events.
import { describe, expect, test } from 'vitest';
import type { FeedEvent } from './feeds';
import { ahead, lives, viewOf } from './timeline';

const jobEvent = (phase: string, second: number, id = 'job_1') => ({
  data: {
    jobEvents: {
      cursor: `c${second}`,
      at: `2026-01-01T00:00:0${second}Z`,
      kind: 'PHASE',
      phase,
      job: { id, name: 'hello' },
    },
  },
});
const feed = (...results: unknown[]): FeedEvent[] =>
  results.map((result, index) => ({ number: index + 1, receivedAt: 0, result }));

describe('the lives of jobs', () => {
  test('are the phases in the order they came', () => {
    const [life] = lives(feed(jobEvent('SUBMITTED', 1), jobEvent('QUEUED', 2), jobEvent('RUNNING', 3)));
    expect(life?.steps.map((step) => step.phase)).toEqual(['SUBMITTED', 'QUEUED', 'RUNNING']);
    expect(life && ahead(life)).toEqual(['SUCCEEDED']);
  });

  test('do not repeat a phase that an event only explains', () => {
    const [life] = lives(feed(jobEvent('QUEUED', 1), jobEvent('QUEUED', 2)));
    expect(life?.steps).toHaveLength(1);
  });

  test('show a job that was preempted in the queue again', () => {
    const [life] = lives(feed(jobEvent('RUNNING', 1), jobEvent('QUEUED', 2), jobEvent('RUNNING', 3)));
    expect(life?.steps.map((step) => step.phase)).toEqual(['RUNNING', 'QUEUED', 'RUNNING']);
  });

  test('put the job that changed last first, and end where the job ends', () => {
    const [first, second] = lives(
      feed(jobEvent('RUNNING', 1), jobEvent('CANCELLED', 2, 'job_2'), jobEvent('FAILED', 3)),
    );
    expect([first?.id, second?.id]).toEqual(['job_1', 'job_2']);
    expect(first && ahead(first)).toEqual([]);
  });
});

test('an event says why', () => {
  const event = {
    at: '2026-01-01T00:00:00Z',
    kind: 'PHASE',
    phase: 'QUEUED',
    reason: 'Preempted',
    message: 'by job_2',
  };
  expect(viewOf({ data: { jobEvents: event } })).toMatchObject({
    kind: 'job',
    because: 'Preempted: by job_2',
  });
});

test('log lines are shown as text', () => {
  expect(viewOf({ data: { jobLogs: { cursor: 'c', task: 1, lines: ['a', { text: 'b' }] } } })).toEqual({
    kind: 'log',
    lines: ['a', 'b'],
    task: '1',
    end: null,
  });
});

test('the last chunk of a log says how it ended', () => {
  expect(viewOf({ data: { jobLogs: { cursor: 'c', task: 0, lines: [], end: 'COMPLETE' } } })).toMatchObject({
    lines: [],
    end: 'COMPLETE',
  });
});

test('errors without data are shown as errors', () => {
  expect(viewOf({ data: null, errors: [{ message: 'no' }] }).kind).toBe('error');
});
