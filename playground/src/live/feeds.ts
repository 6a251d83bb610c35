// The subscriptions that are running or ran on this page, with the events they received. They live apart
// from GraphiQL's tabs: looking at another tab does not stop them.
import { parse } from 'graphql';
import { Store } from '../store';
import { toProblems, type Problem } from '../transport/errors';
import {
  follow,
  isOfStates,
  resumePlan,
  subscriptionIn,
  type Operation,
  type Phase,
  type Standing,
} from '../transport/resume';
import type { SocketClient } from '../transport/socket';

export interface FeedEvent {
  number: number;
  receivedAt: number;
  result: unknown;
}

export interface Feed {
  id: string;
  title: string;
  phase: Phase;
  /** False: a lost connection may lose events, because the document carries no cursor to events that need one. */
  resumable: boolean;
  events: FeedEvent[];
  /** How many events came, of which the newest are kept. */
  received: number;
  resumed: number;
  problems: Problem[];
}

export interface FeedListener {
  next(result: unknown): void;
  ended(error?: unknown): void;
}

/** What a feed keeps; the page must not grow for ever with a job that logs for ever. */
export const KEPT_EVENTS = 500;
const KEPT_FEEDS = 6;

export class Feeds {
  readonly list = new Store<readonly Feed[]>([]);
  readonly selected = new Store<string | null>(null);
  readonly #client: Pick<SocketClient, 'subscribe'>;
  readonly #renew: () => Promise<boolean>;
  readonly #standing: Standing;
  readonly #running = new Map<string, () => void>();

  constructor(
    client: Pick<SocketClient, 'subscribe'>,
    renew: () => Promise<boolean>,
    standing: Standing = new Store<string | null>(null),
  ) {
    this.#client = client;
    this.#renew = renew;
    this.#standing = standing;
  }

  /** Starts a subscription; the same one again takes the place of the first. `seed` is what is known already. */
  open(operation: Operation, listener?: FeedListener, seed: unknown[] = []): string {
    const id = JSON.stringify([operation.query, operation.operationName, operation.variables]);
    this.close(id);
    const subscription = subscriptionIn(parse(operation.query), operation.operationName);
    const plan = subscription ? resumePlan(subscription) : null;
    const feed: Feed = {
      id,
      title: operation.operationName ?? subscription?.name?.value ?? 'Subscription',
      phase: 'connecting',
      resumable: plan !== null || (subscription !== undefined && isOfStates(subscription)),
      events: [],
      received: 0,
      resumed: 0,
      problems: [],
    };
    this.#admit(feed);
    for (const result of seed) this.#receive(id, result);

    const stop = follow(
      operation,
      {
        plan,
        renew: this.#renew,
        standing: this.#standing,
        wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
        subscribe: (attempt, sink) => this.#client.subscribe(attempt, sink),
      },
      {
        next: (result) => {
          this.#receive(id, result);
          listener?.next(result);
        },
        phase: (phase) =>
          this.#change(id, (now) => ({
            ...now,
            phase,
            resumed: now.resumed + (phase === 'reconnecting' ? 1 : 0),
          })),
        ended: (error) => {
          this.#running.delete(id);
          if (error !== undefined) this.#change(id, (now) => ({ ...now, problems: toProblems(error) }));
          listener?.ended(error);
        },
      },
    );
    this.#running.set(id, stop);
    return id;
  }

  /** Stops receiving; what was received stays on the page. */
  stop(id: string): void {
    this.#running.get(id)?.();
    this.#running.delete(id);
  }

  /** Stops the feed and takes it off the page. */
  close(id: string): void {
    this.stop(id);
    this.list.update((feeds) => feeds.filter((feed) => feed.id !== id));
    if (this.selected.get() === id) this.selected.set(this.list.get()[0]?.id ?? null);
  }

  closeAll(): void {
    for (const feed of this.list.get()) this.close(feed.id);
  }

  #admit(feed: Feed): void {
    for (const old of this.list.get().slice(KEPT_FEEDS - 1)) this.close(old.id);
    this.list.update((feeds) => [feed, ...feeds]);
    this.selected.set(feed.id);
  }

  #receive(id: string, result: unknown): void {
    this.#change(id, (feed) => {
      const received = feed.received + 1;
      const event: FeedEvent = { number: received, receivedAt: Date.now(), result };
      return { ...feed, received, events: [...feed.events.slice(1 - KEPT_EVENTS), event] };
    });
  }

  #change(id: string, change: (feed: Feed) => Feed): void {
    this.list.update((feeds) => feeds.map((feed) => (feed.id === id ? change(feed) : feed)));
  }
}
