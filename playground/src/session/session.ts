// Who is logged in: tokens, their renewal, and what survives a reload of this browser tab.
import type { ExecutionResult } from 'graphql';
import { Store } from '../store';
import { problemsOf, toProblems, type Problem } from '../transport/errors';
import type { Send } from '../transport/http';
import type { Returned } from './provider';
import { COMPLETE_SIGN_IN, LOG_IN, LOG_OUT, RENEW } from '../operations/session';

export interface Session {
  accessToken: string;
  refreshToken: string | null;
  expiresAt: string;
  username: string;
  role: string | null;
}

export interface SessionState {
  session: Session | null;
  /** Why the last log-in or renewal failed. */
  problems: Problem[];
  busy: boolean;
}

/** Renew this long before the access token ends, so that no request leaves with a token about to die. */
export const RENEW_BEFORE_MS = 60_000;
const STORAGE_KEY = 'platform.session';
/** setTimeout overflows beyond this. */
const LONGEST_TIMER_MS = 2_147_483_647;

type KeyValue = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

const asRecord = (value: unknown): Record<string, unknown> | null =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
const asText = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

/**
 * Finds a SessionPayload among an answer's root fields, or in one of them, as after `register`: a log-in from a GraphiQL
 * tab counts as well as one from the box.
 */
export function sessionIn(result: unknown, previous: Session | null = null): Session | null {
  const data = asRecord(asRecord(result)?.data);
  for (const value of Object.values(data ?? {})) {
    const root = asRecord(value);
    const payload = asRecord(root?.session) ?? root;
    const accessToken = asText(payload?.accessToken);
    if (!payload || accessToken === null) continue;
    const user = asRecord(payload.user);
    return {
      accessToken,
      refreshToken: asText(payload.refreshToken) ?? previous?.refreshToken ?? null,
      expiresAt: asText(payload.expiresAt) ?? expiryOf(accessToken) ?? new Date(0).toISOString(),
      username: asText(user?.username) ?? previous?.username ?? 'logged in',
      role: asText(user?.platformRole) ?? previous?.role ?? null,
    };
  }
  return null;
}

/** The `exp` claim of a JWT, when the operation did not select `expiresAt`. */
export function expiryOf(token: string): string | null {
  try {
    const claims = asRecord(
      JSON.parse(atob((token.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/'))),
    );
    return typeof claims?.exp === 'number' ? new Date(claims.exp * 1000).toISOString() : null;
  } catch {
    return null;
  }
}

export function renewIn(session: Session, now: number): number {
  const left = Date.parse(session.expiresAt) - now - RENEW_BEFORE_MS;
  return Math.min(LONGEST_TIMER_MS, Math.max(0, Number.isNaN(left) ? 0 : left));
}

export class SessionKeeper {
  readonly state: Store<SessionState>;
  readonly #send: Send;
  readonly #storage: KeyValue;
  readonly #now: () => number;
  #renewal: Promise<boolean> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(send: Send, storage: KeyValue, now: () => number = Date.now) {
    this.#send = send;
    this.#storage = storage;
    this.#now = now;
    this.state = new Store<SessionState>({ session: this.#stored(), problems: [], busy: false });
    this.#schedule();
  }

  logIn(username: string, password: string): Promise<boolean> {
    return this.#begin(LOG_IN, { username, password });
  }

  /** Finishes a sign-in with a provider. */
  async signIn(returned: Returned): Promise<boolean> {
    if ('code' in returned) return this.#begin(COMPLETE_SIGN_IN, { code: returned.code });
    this.state.update((state) => ({ ...state, problems: toProblems(new Error(returned.error)) }));
    return false;
  }

  async #begin(mutation: string, input: Record<string, unknown>): Promise<boolean> {
    this.state.update((state) => ({ ...state, busy: true, problems: [] }));
    const { session, problems } = await this.#ask(mutation, { input });
    if (session === null) {
      this.state.update((state) => ({ ...state, busy: false, problems }));
      return false;
    }
    this.#become(session);
    return true;
  }

  /** Takes the session from an answer that a GraphiQL tab received. */
  adopt(result: ExecutionResult): void {
    const session = sessionIn(result, this.state.get().session);
    if (session !== null) this.#become(session);
  }

  /** A token that is good for the next request, or null for an anonymous one. */
  async token(): Promise<string | null> {
    const { session } = this.state.get();
    if (session === null) return null;
    if (renewIn(session, this.#now()) === 0) await this.renew();
    return this.state.get().session?.accessToken ?? null;
  }

  /** One renewal at a time: a refresh token is good for one use, and a second use would end the session. */
  renew(): Promise<boolean> {
    this.#renewal ??= this.#renewOnce().finally(() => (this.#renewal = null));
    return this.#renewal;
  }

  async logOut(): Promise<void> {
    const token = this.state.get().session?.accessToken ?? null;
    this.#become(null);
    // The page forgets the session in any case; the server is told so that nobody else can use it.
    if (token !== null) await this.#send({ query: LOG_OUT }, token).catch(() => undefined);
  }

  async #renewOnce(): Promise<boolean> {
    const before = this.state.get().session;
    if (before?.refreshToken == null) return false;
    const answer = await this.#ask(RENEW, { input: { refreshToken: before.refreshToken } }, before);
    if (this.state.get().session !== before) return this.state.get().session !== null;
    if (answer.session !== null) {
      this.#become(answer.session);
      return true;
    }
    // The server said no: the session is over. No answer at all: keep it, the next use tries again.
    if (answer.refused) this.#become(null, answer.problems);
    return false;
  }

  async #ask(query: string, variables: Record<string, unknown>, previous: Session | null = null) {
    try {
      const result = await this.#send({ query, variables }, null);
      const session = sessionIn(result, previous);
      return { session, problems: session === null ? problemsOf(result) : [], refused: session === null };
    } catch (error) {
      return { session: null, problems: toProblems(error), refused: false };
    }
  }

  #become(session: Session | null, problems: Problem[] = []): void {
    if (session === null) this.#storage.removeItem(STORAGE_KEY);
    else this.#storage.setItem(STORAGE_KEY, JSON.stringify(session));
    this.state.set({ session, problems, busy: false });
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const { session } = this.state.get();
    if (session?.refreshToken == null) return;
    // Never a busy loop, even when the clocks of page and server disagree.
    this.#timer = setTimeout(() => void this.renew(), Math.max(5_000, renewIn(session, this.#now())));
  }

  #stored(): Session | null {
    try {
      const stored = asRecord(JSON.parse(this.#storage.getItem(STORAGE_KEY) ?? 'null'));
      return asText(stored?.accessToken) === null ? null : (stored as unknown as Session);
    } catch {
      return null;
    }
  }
}
