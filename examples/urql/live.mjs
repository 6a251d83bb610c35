// urql: an exchange for subscriptions that resume, and lists that stay up to date.
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';
import { pipe, subscribe } from 'wonka';
import { listThenWatch } from '../graphql-ws/feed.mjs';

/** @param {import('../graphql-ws/feed.mjs').Feed} feed */
export const feedExchange = (feed) =>
  subscriptionExchange({
    forwardSubscription: ({ query, operationName, variables, extensions }) => ({
      subscribe: (sink) => ({
        unsubscribe: feed.subscribe(
          /** @type {import('graphql-ws').SubscribePayload} */ ({
            query,
            operationName,
            variables,
            extensions,
          }),
          {
            next: sink.next,
            error: (problem) => sink.error(/** @type {any} */ (problem)),
            complete: sink.complete,
          },
        ),
      }),
    }),
  });

/** Sends the hash under which codegen has stored a document instead of its text. */
const trustedDocuments = persistedExchange({
  enforcePersistedQueries: true,
  enableForMutation: true,
  enableForSubscriptions: true,
  generateHash: async (_, document) => /** @type {any} */ (document).__meta__?.hash.replace('sha256:', ''),
});

/**
 * Without a cache of documents: it would answer a list that is listed again.
 * @param {string} url @param {import('../graphql-ws/session.mjs').Session} session
 * @param {import('../graphql-ws/feed.mjs').Feed} feed
 * @param {{ isTrusted?: boolean }} [options] whether the server only runs the documents that codegen has stored
 */
export const createUrqlClient = (url, session, feed, { isTrusted = false } = {}) =>
  new Client({
    url,
    fetch: session.fetch,
    preferGetMethod: false,
    exchanges: [...(isTrusted ? [trustedDocuments] : []), feedExchange(feed), fetchExchange],
  });

/**
 * List, then watch. urql keeps no objects by ID without Graphcache, so `on` receives the list and then each event.
 *
 * @template {{ eventCursor: string }} List
 * @template Event
 * @param {Client} client
 * @param {{
 *   query: import('@urql/core').TypedDocumentNode<List, any> | string, variables?: any,
 *   subscription: import('@urql/core').TypedDocumentNode<Event, any> | string, filter?: any,
 * }} documents
 * @param {{ onList(list: List): void, onEvent(event: Event): void, onError(problem: unknown): void }} on
 * @returns {() => void} stops
 */
export function liveQuery(client, { query, variables = {}, subscription, filter }, on) {
  return listThenWatch(
    async () => {
      const { data, error } = await client
        .query(query, variables, { requestPolicy: 'network-only' })
        .toPromise();
      // The error of the network is that of `fetch` or of the session; others are the response's.
      if (!data) throw error?.networkError ?? error ?? new Error('there is no data');
      return data;
    },
    (after, { next, error }) =>
      pipe(
        client.subscription(subscription, { filter, after }),
        subscribe((result) => (result.error ? error(result.error) : result.data && next(result.data))),
      ).unsubscribe,
    on,
  );
}
