// One graphql-transport-ws socket for all subscriptions of the page.
import { createClient } from 'graphql-ws';
import type { Operation, Sink } from './resume';

const PING_AFTER = 12_000;
const PONG_WITHIN = 5_000;

export type SocketState = 'closed' | 'connecting' | 'open';

/** What the page needs of the socket. */
export interface SocketClient {
  subscribe(operation: Operation, sink: Sink): () => void;
  /** Closes the socket as if the connection were lost. */
  terminate(): void;
}

/**
 * The client dials on the first subscription and does not retry by itself: `follow` does, because only it
 * knows the cursor to resume from. A peer that answers no ping is taken for dead. `onStanding` is told where
 * the event log stood when the server acknowledged the socket, and null when the socket is closed. The server's pings
 * say how far it has come for each operation that rarely has an event.
 */
export function socketClient(
  url: string,
  token: () => Promise<string | null>,
  onState: (state: SocketState) => void,
  onStanding: (cursor: string | null) => void,
): SocketClient {
  let dead: ReturnType<typeof setTimeout> | undefined;
  const sinks = new WeakMap<object, Sink>();
  const running = new Map<string, Sink>();
  let last = 0;
  const client = createClient({
    url,
    lazy: true,
    retryAttempts: 0,
    keepAlive: PING_AFTER,
    generateID: (operation) => {
      const id = String((last += 1));
      const sink = sinks.get(operation);
      if (sink) running.set(id, sink);
      return id;
    },
    connectionParams: async () => {
      const current = await token();
      return current === null ? {} : { authorization: `Bearer ${current}` };
    },
    on: {
      connecting: () => onState('connecting'),
      connected: (_, acknowledgement) => {
        const cursor = acknowledgement?.cursor;
        onStanding(typeof cursor === 'string' ? cursor : null);
        onState('open');
      },
      closed: () => {
        clearTimeout(dead);
        onStanding(null);
        onState('closed');
      },
      ping: (received, payload) => {
        if (!received) dead = setTimeout(() => client.terminate(), PONG_WITHIN);
        for (const [id, cursor] of Object.entries(payload?.cursors ?? {})) {
          if (typeof cursor === 'string') running.get(id)?.moved?.(cursor);
        }
      },
      pong: (received) => {
        if (received) clearTimeout(dead);
      },
    },
  });
  return {
    terminate: () => client.terminate(),
    subscribe(operation, sink) {
      sinks.set(operation, sink);
      const over = () => {
        for (const [id, known] of running) if (known === sink) running.delete(id);
      };
      const end = client.subscribe(operation, {
        next: (result) => sink.next(result),
        error: (error) => {
          over();
          sink.error(error);
        },
        complete: () => {
          over();
          sink.complete();
        },
      });
      return () => {
        over();
        end();
      };
    },
  };
}
