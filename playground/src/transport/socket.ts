// One graphql-transport-ws socket for all subscriptions of the page.
import { createClient, type Client } from 'graphql-ws';

const PING_AFTER = 12_000;
const PONG_WITHIN = 5_000;

export type SocketState = 'closed' | 'connecting' | 'open';

/**
 * The client dials on the first subscription and does not retry by itself: `follow` does, because only it
 * knows the cursor to resume from. A peer that answers no ping is taken for dead. `onStanding` is told where
 * the event log stood when the server acknowledged the socket, and null when the socket is closed.
 */
export function socketClient(
  url: string,
  token: () => Promise<string | null>,
  onState: (state: SocketState) => void,
  onStanding: (cursor: string | null) => void,
): Client {
  let dead: ReturnType<typeof setTimeout> | undefined;
  const client = createClient({
    url,
    lazy: true,
    retryAttempts: 0,
    keepAlive: PING_AFTER,
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
      ping: (received) => {
        if (!received) dead = setTimeout(() => client.terminate(), PONG_WITHIN);
      },
      pong: (received) => {
        if (received) clearTimeout(dead);
      },
    },
  });
  return client;
}
