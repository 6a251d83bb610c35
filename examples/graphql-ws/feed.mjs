// Subscriptions over graphql-ws that lose and repeat nothing when the connection is cut.
//
// graphql-ws reconnects by itself and sends the operation again, with the variables as they are at that moment. So it is
// enough to keep `variables.after` up to date. An operation must have the variable `$after` and select `cursor`.
import { createClient } from 'graphql-ws';
import { codesOf, SessionEnded } from './session.mjs';

/** @typedef {ReturnType<typeof createFeed>} Feed */
/** @typedef {import('graphql-ws').SubscribePayload} Operation */
/** @typedef {{ next(result: any): void, error(problem: unknown): void, complete(): void }} Sink */

const PING_EVERY_MS = 10_000;
const PONG_WITHIN_MS = 5_000;

/** 0.25 s, 0.5 s, 1 s ... 15 s, spread so that not all clients return at once. @param {number} attempt */
export const backoff = (attempt) => Math.min(15_000, 250 * 2 ** attempt) * (0.5 + Math.random() / 2);

/** @param {number} milliseconds */
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A refresh without a response is a connection that is lost; the end of the session is not. @param {unknown} problem @returns {never} */
function asLostConnection(problem) {
  if (problem instanceof SessionEnded) throw problem;
  throw Object.assign(new Error('the session could not be refreshed'), {
    code: 1006,
    reason: String(problem),
  });
}

/**
 * @param {string} url the WebSocket URL
 * @param {import('./session.mjs').Session} session
 * @param {unknown} [webSocketImpl] only needed outside of browsers
 */
export function createFeed(url, session, webSocketImpl) {
  /** The variables of the running operations by their IDs. @type {Map<string, Record<string, unknown>>} */
  const running = new Map();
  let [token, isRejected] = ['', false];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let pongDue;

  const client = createClient({
    url,
    webSocketImpl,
    connectionParams: async () => {
      token = isRejected ? await session.renew(token).catch(asLostConnection) : session.accessToken();
      isRejected = false;
      return { authorization: `Bearer ${token}` };
    },
    // graphql-ws insists on a text; an operation with the ID of a trusted document is sent without.
    jsonMessageReplacer(key, value) {
      const isText = key === 'query' && 'variables' in this;
      return isText && value === '' ? undefined : value;
    },
    generateID: ({ variables }) => {
      const id = crypto.randomUUID();
      running.set(id, /** @type {Record<string, unknown>} */ (variables));
      return id;
    },
    retryAttempts: Infinity,
    retryWait: (retries) => sleep(backoff(retries)),
    // Also if there is no connection at all, which is an event of the browser. What remains are errors of this program
    // and the end of the session; of the close codes, only those that mean a bug are final.
    shouldRetry: (problem) => !(problem instanceof Error) || 'code' in problem,
    keepAlive: PING_EVERY_MS,
    on: {
      closed: (event) => {
        clearTimeout(pongDue);
        if (/** @type {CloseEvent} */ (event).code === 4403) isRejected = true;
      },
      ping: (isReceived, payload) => {
        // A connection that is dead without knowing it.
        if (!isReceived) pongDue = setTimeout(() => client.terminate(), PONG_WITHIN_MS);
        // How far the server has looked through the event log for an operation that rarely has an event.
        for (const [id, cursor] of Object.entries(payload?.cursors ?? {})) {
          const variables = running.get(id);
          if (variables) variables.after = cursor;
        }
      },
      pong: () => clearTimeout(pongDue),
    },
  });

  return {
    /**
     * The same interface as the client of graphql-ws, so that links and exchanges for it can be used with this feed.
     * @param {Operation} operation @param {Sink} sink @returns {() => void} ends the subscription
     */
    subscribe(operation, sink) {
      const variables = { ...operation.variables };
      let [attempt, stop] = [0, () => {}];
      /** @type {ReturnType<typeof setTimeout> | undefined} */
      let restart;
      const forget = () => running.forEach((each, id) => each === variables && running.delete(id));

      const start = () => {
        let isOver = false;
        /** @param {any[]} errors */
        const fail = (errors) => {
          isOver = true;
          stop();
          forget();
          const { cursor, retryAfterMs } = errors[0]?.extensions ?? {};
          variables.after = cursor ?? variables.after;
          if (!errors.every(({ extensions }) => extensions?.retryable)) return sink.error(errors);
          restart = setTimeout(start, retryAfterMs ?? backoff(attempt++));
        };
        const payload = { ...operation, query: operation.query ?? '', variables };
        stop = client.subscribe(payload, {
          next(result) {
            if (isOver) return;
            if (result.data == null && result.errors) return fail([...result.errors]);
            attempt = 0;
            const [event] = Object.values(result.data ?? {});
            variables.after = /** @type {any} */ (event)?.cursor ?? variables.after;
            sink.next(result);
          },
          error: (problem) => (Array.isArray(problem) ? fail(problem) : sink.error(problem)),
          complete: () => isOver || sink.complete(),
        });
      };
      start();
      return () => {
        clearTimeout(restart);
        stop();
        forget();
      };
    },
    dispose: () => client.dispose(),
  };
}

/**
 * List, then watch: lists, then follows what happened after the list. If the event log does not reach back that far any
 * more, it lists again.
 *
 * @template {{ eventCursor: string }} List
 * @template Event
 * @param {() => Promise<List>} list asks for the list and `eventCursor` in one operation, and never answers from a cache
 * @param {(after: string, sink: { next(event: Event): void, error(problem: unknown): void }) => () => void} watch
 * @param {{ onList(list: List): void, onEvent(event: Event): void, onError(problem: unknown): void }} on
 * @returns {() => void} stops
 */
export function listThenWatch(list, watch, on) {
  let [isStopped, stop] = [false, () => {}];
  const begin = async (attempt = 0) => {
    try {
      const listed = await list();
      if (isStopped) return;
      on.onList(listed);
      stop = watch(listed.eventCursor, {
        next: on.onEvent,
        error: (problem) => {
          if (!codesOf(problem).includes('RESUME_EXPIRED')) return on.onError(problem);
          // Not at once: a cursor that is always refused must not become a loop.
          setTimeout(() => isStopped || void begin(), backoff(0));
        },
      });
    } catch (problem) {
      if (isStopped) return;
      // An answer with errors will not get better; without an answer, try again.
      if (problem instanceof SessionEnded || codesOf(problem).length > 0) return on.onError(problem);
      await sleep(backoff(attempt));
      if (!isStopped) void begin(attempt + 1);
    }
  };
  void begin();
  return () => {
    isStopped = true;
    stop();
  };
}
