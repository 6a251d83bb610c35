// Subscriptions across lost connections: which cursor is sent, when the page gives up, when it renews.
import { parse } from 'graphql';
import { describe, expect, test } from 'vitest';
import { Store } from '../store';
import { backoff, follow, isOfStates, resumePlan, subscriptionIn, type Operation, type Sink } from './resume';

const WATCH = `subscription Watch($after: FeedCursor) { jobEvents(after: $after) { cursor phase } }`;
const event = (cursor: string) => ({ data: { jobEvents: { cursor, phase: 'RUNNING' } } });
const planOf = (query: string) => {
  const subscription = subscriptionIn(parse(query));
  return subscription ? resumePlan(subscription) : null;
};

/** A server that is played by the test: every attempt to subscribe is kept, with the sink to answer into. */
function play(
  query: string,
  variables: Record<string, unknown> = {},
  renewed = true,
  standing = new Store<string | null>(null),
) {
  const attempts: { operation: Operation; sink: Sink }[] = [];
  const told: string[] = [];
  const stop = follow(
    { query, variables },
    {
      plan: planOf(query),
      standing,
      subscribe: (operation, sink) => {
        attempts.push({ operation, sink });
        return () => told.push('unsubscribed');
      },
      renew: () => {
        told.push('renew');
        return Promise.resolve(renewed);
      },
      wait: () => Promise.resolve(),
    },
    {
      next: (result) => told.push(`event ${JSON.stringify(result)}`),
      phase: (phase) => told.push(phase),
      ended: (error) => told.push(error === undefined ? 'complete' : 'failed'),
    },
  );
  const server = (attempt: number): Sink => {
    const found = attempts[attempt];
    if (!found) throw new Error(`there was no attempt ${attempt}`);
    return found.sink;
  };
  const settle = () => new Promise((done) => setTimeout(done));
  return { attempts, told, stop, server, settle };
}

describe('a lost connection', () => {
  test('is resumed behind the last cursor', async () => {
    const { attempts, server, settle } = play(WATCH, { after: 'c1', other: true });
    server(0).next(event('c2'));
    server(0).next(event('c3'));
    server(0).error({ code: 1006 });
    await settle();
    expect(attempts.map(({ operation }) => operation.variables)).toEqual([
      { after: 'c1', other: true },
      { after: 'c3', other: true },
    ]);
  });

  test('before the first event asks again from where the viewer asked', async () => {
    const { attempts, server, settle } = play(WATCH, { after: 'c1' });
    server(0).error({ code: 1012 });
    await settle();
    expect(attempts[1]?.operation.variables).toEqual({ after: 'c1' });
  });

  test('before the first event goes on from where the socket began', async () => {
    for (const open of [true, false]) {
      const standing = new Store<string | null>(open ? 'c0' : null);
      const { attempts, server, settle } = play(WATCH, {}, true, standing);
      standing.set('c0');
      standing.set(null);
      // Another feed's socket, acknowledged later.
      standing.set('c9');
      server(0).error({ code: 1006 });
      await settle();
      server(1).next(event('c5'));
      server(1).error({ code: 1006 });
      await settle();
      expect(attempts.map(({ operation }) => operation.variables)).toEqual([
        {},
        { after: 'c0' },
        { after: 'c5' },
      ]);
    }
  });

  test('goes on from where the server has come, although no event matched', async () => {
    const { attempts, server, settle } = play(WATCH, { after: 'c1' });
    server(0).moved?.('c4');
    server(0).error({ code: 1006 });
    await settle();
    server(1).next(event('c5'));
    server(1).moved?.('c7');
    server(1).error({ code: 1006 });
    await settle();
    expect(attempts.map(({ operation }) => operation.variables)).toEqual([
      { after: 'c1' },
      { after: 'c4' },
      { after: 'c7' },
    ]);
  });

  test('of a log takes no place in the event log for its own', async () => {
    const query = 'subscription ($after: FeedCursor) { jobLogs(jobId: "j", after: $after) { cursor } }';
    const { attempts, server, settle } = play(query, {}, true, new Store<string | null>('c0'));
    server(0).error({ code: 1006 });
    await settle();
    expect(attempts[1]?.operation.variables).toEqual({});
  });

  test('of a document without a cursor asks the same again', async () => {
    const { attempts, server, settle } = play('subscription { queueEvents { length } }', { a: 1 });
    server(0).next({ data: { queueEvents: { length: 3 } } });
    server(0).error(new Event('error'));
    await settle();
    expect(attempts[1]?.operation.variables).toEqual({ a: 1 });
  });

  test('after the viewer stopped is left alone', async () => {
    const { attempts, server, settle, stop, told } = play(WATCH);
    stop();
    server(0).error({ code: 1006 });
    await settle();
    expect(attempts).toHaveLength(1);
    expect(told).toEqual(['connecting', 'unsubscribed', 'ended']);
  });
});

describe('what the server says decides', () => {
  test.each([
    ['a slow consumer resumes', [{ message: '', extensions: { code: 'SLOW_CONSUMER' } }], 2],
    ['an expired cursor ends', [{ message: '', extensions: { code: 'RESUME_EXPIRED' } }], 1],
    ['a bad message ends', { code: 4400 }, 1],
    ['a retryable error is retried', [{ message: '', extensions: { code: 'TIMEOUT', retryable: true } }], 2],
    ['a restarting server is dialled again', { code: 1012 }, 2],
    ['a forbidden socket is dialled again with a new token', { code: 4403 }, 2],
  ])('%s', async (_, error, expected) => {
    const { attempts, server, settle } = play(WATCH);
    server(0).error(error);
    await settle();
    expect(attempts).toHaveLength(expected);
  });

  test('a session that cannot be renewed ends the subscription', async () => {
    const { server, settle, told } = play(WATCH, {}, false);
    server(0).error({ code: 4403 });
    await settle();
    expect(told).toEqual(['connecting', 'reconnecting', 'renew', 'ended', 'failed']);
  });

  test('a socket that is forbidden with a new token as well ends the subscription', async () => {
    const { attempts, server, settle } = play(WATCH);
    server(0).error({ code: 4403 });
    await settle();
    server(1).error({ code: 4403 });
    await settle();
    expect(attempts).toHaveLength(2);
  });

  test('a completed subscription is complete', () => {
    const { server, told } = play(WATCH);
    server(0).complete();
    expect(told).toEqual(['connecting', 'ended', 'complete']);
  });
});

describe('the plan to resume', () => {
  test('follows aliases and the name of the variable', () => {
    expect(
      planOf('subscription ($from: FeedCursor) { feed: jobEvents(after: $from) { at: cursor } }'),
    ).toEqual({
      field: 'feed',
      ofEvents: true,
      cursor: 'at',
      variable: 'from',
    });
  });

  test.each([
    ['subscription { jobEvents { cursor } }'],
    ['subscription ($after: FeedCursor) { jobEvents(after: $after) { phase } }'],
    ['subscription { jobEvents(after: "c1") { cursor } }'],
  ])('does not exist for %s', (query) => {
    expect(planOf(query)).toBeNull();
  });
});

test('the wait doubles up to ten seconds', () => {
  expect([0, 1, 2, 5, 20].map((attempt) => backoff(attempt, 1))).toEqual([300, 600, 1200, 9600, 10_000]);
  expect(backoff(0, 0)).toBe(150);
});

test('what a project uses needs no cursor, for each item is the whole state', () => {
  const isStates = (query: string) => {
    const subscription = subscriptionIn(parse(query));
    return subscription !== undefined && isOfStates(subscription);
  };
  expect(isStates('subscription { quotaUsage(projectId: "p") { resources { used } } }')).toBe(true);
  expect(isStates('subscription { jobEvents { phase } }')).toBe(false);
});
