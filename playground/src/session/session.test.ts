// The session: log in, renew in time and once, log out, survive a reload.
import type { ExecutionResult } from 'graphql';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { RENEW_BEFORE_MS, SessionKeeper, sessionIn } from './session';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const inMinutes = (minutes: number) => new Date(NOW + minutes * 60_000).toISOString();

const payload = (name: string, minutes = 15) => ({
  accessToken: `access-${name}`,
  refreshToken: `refresh-${name}`,
  expiresAt: inMinutes(minutes),
  user: { username: 'mia', platformRole: 'USER' },
});
const refused: ExecutionResult = {
  data: null,
  errors: [{ message: 'No', extensions: { code: 'UNAUTHENTICATED', requestId: 'r1' } } as never],
};

class MemoryStorage {
  readonly values = new Map<string, string>();
  getItem = (key: string) => this.values.get(key) ?? null;
  setItem = (key: string, value: string) => void this.values.set(key, value);
  removeItem = (key: string) => void this.values.delete(key);
}

/** A keeper whose server gives these answers, one after the other. */
function keeper(answers: (ExecutionResult | Error)[], storage = new MemoryStorage()) {
  const sent: string[] = [];
  const session = new SessionKeeper(
    (operation) => {
      sent.push(/mutation (\w+)/.exec(operation.query)?.[1] ?? '?');
      const answer = answers.shift() ?? new Error('no answer left');
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    storage,
    Date.now,
  );
  return { session, sent, storage };
}

const login = (name: string, minutes = 15): ExecutionResult => ({ data: { login: payload(name, minutes) } });
const renewal = (name: string): ExecutionResult => ({ data: { refreshSession: payload(name) } });

beforeEach(() => void vi.useFakeTimers({ now: NOW }));
afterEach(() => void vi.useRealTimers());

describe('logging in', () => {
  test('gives the token to the next request', async () => {
    const { session } = keeper([login('1')]);
    expect(await session.logIn('mia', 'secret')).toBe(true);
    expect(await session.token()).toBe('access-1');
  });

  test('tells why it failed, with the code and the request id', async () => {
    const { session } = keeper([refused]);
    expect(await session.logIn('mia', 'wrong')).toBe(false);
    expect(session.state.get().problems).toMatchObject([{ code: 'UNAUTHENTICATED', requestId: 'r1' }]);
    expect(await session.token()).toBeNull();
  });

  test('with a provider ends with a code or a reason', async () => {
    const { session } = keeper([{ data: { completeSignIn: payload('1') } }]);
    expect(await session.signIn({ error: 'your account is disabled' })).toBe(false);
    expect(session.state.get().problems).toMatchObject([{ message: 'your account is disabled' }]);
    expect(await session.signIn({ code: 'abc' })).toBe(true);
    expect(session.state.get().problems).toEqual([]);
    expect(await session.token()).toBe('access-1');
  });

  test('through a tab of GraphiQL counts as well', async () => {
    const { session } = keeper([]);
    session.adopt({ data: { again: payload('tab') } });
    expect(await session.token()).toBe('access-tab');
  });
});

describe('renewing', () => {
  test('happens by itself before the token ends', async () => {
    const { session, sent } = keeper([login('1'), renewal('2')]);
    await session.logIn('mia', 'secret');
    await vi.advanceTimersByTimeAsync(15 * 60_000 - RENEW_BEFORE_MS);
    expect(sent).toEqual(['LogIn', 'RenewSession']);
    expect(await session.token()).toBe('access-2');
  });

  test('happens once for many requests at the same time', async () => {
    const { session, sent } = keeper([login('1', 0.5), renewal('2')]);
    await session.logIn('mia', 'secret');
    expect(await Promise.all([session.token(), session.token(), session.token()])).toEqual([
      'access-2',
      'access-2',
      'access-2',
    ]);
    expect(sent).toEqual(['LogIn', 'RenewSession']);
  });

  test('that the server refuses ends the session and says why', async () => {
    const { session, storage } = keeper([login('1', 0.5), refused]);
    await session.logIn('mia', 'secret');
    expect(await session.token()).toBeNull();
    expect(session.state.get().problems).toMatchObject([{ code: 'UNAUTHENTICATED' }]);
    expect(storage.values.size).toBe(0);
  });

  test('that reaches no server keeps the session for the next try', async () => {
    const { session } = keeper([login('1', 0.5), new Error('offline'), renewal('2')]);
    await session.logIn('mia', 'secret');
    expect(await session.token()).toBe('access-1');
    expect(await session.token()).toBe('access-2');
  });
});

test('a reload keeps the session, and logging out forgets it', async () => {
  const { session, storage } = keeper([login('1')]);
  await session.logIn('mia', 'secret');
  const { session: reloaded, sent } = keeper([{ data: { logout: {} } }], storage);
  expect(await reloaded.token()).toBe('access-1');
  await reloaded.logOut();
  expect(sent).toEqual(['LogOut']);
  expect(await reloaded.token()).toBeNull();
  expect(await keeper([], storage).session.token()).toBeNull();
});

test('an answer without expiresAt is dated by its token', () => {
  const claims = btoa(JSON.stringify({ exp: NOW / 1000 }));
  expect(sessionIn({ data: { login: { accessToken: `h.${claims}.s` } } })?.expiresAt).toBe(inMinutes(0));
});

test('who registers where nobody has to approve is logged in', () => {
  const session = {
    accessToken: 'access',
    refreshToken: 'refresh',
    expiresAt: 'soon',
    user: { username: 'nina' },
  };
  expect(sessionIn({ data: { register: { state: 'ACTIVE', session } } })).toMatchObject({ username: 'nina' });
  expect(sessionIn({ data: { register: { state: 'WAITING', session: null } } })).toBeNull();
});
