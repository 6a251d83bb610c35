// Apollo Client: subscriptions that resume, and lists in its cache that stay up to date.
import {
  ApolloClient,
  ApolloLink,
  CombinedGraphQLErrors,
  HttpLink,
  InMemoryCache,
  Observable,
} from '@apollo/client';
import { print } from 'graphql';
import { listThenWatch } from '../graphql-ws/feed.mjs';

/**
 * The hash under which codegen has stored a document, if it was run with `persistedDocuments`.
 * @param {import('graphql').DocumentNode} document @returns {string | undefined}
 */
const hashOf = (document) => /** @type {any} */ (document).__meta__?.hash.replace('sha256:', '');

/** @param {import('../graphql-ws/feed.mjs').Feed} feed */
export const feedLink = (feed, isTrusted = false) =>
  new ApolloLink(({ query, operationName, variables }) => {
    const document = isTrusted ? { documentId: hashOf(query) } : { query: print(query) };
    const operation = /** @type {import('graphql-ws').SubscribePayload} */ ({
      ...document,
      operationName,
      variables,
    });
    return new Observable((sink) =>
      feed.subscribe(operation, {
        next: (result) => sink.next(result),
        complete: () => sink.complete(),
        error: (problem) =>
          sink.error(Array.isArray(problem) ? new CombinedGraphQLErrors({ errors: problem }) : problem),
      }),
    );
  });

/** Sends the hash of a document instead of its text. */
const trustedDocuments = new ApolloLink((operation, forward) => {
  operation.extensions.persistedQuery = { version: 1, sha256Hash: hashOf(operation.query) };
  operation.setContext({ http: { includeQuery: false, includeExtensions: true } });
  return forward(operation);
});

/**
 * @param {string} url @param {import('../graphql-ws/session.mjs').Session} session
 * @param {import('../graphql-ws/feed.mjs').Feed} feed
 * @param {{ isTrusted?: boolean }} [options] whether the server only runs the documents that codegen has stored
 */
export function createApolloClient(url, session, feed, { isTrusted = false } = {}) {
  const http = new HttpLink({ uri: url, fetch: session.fetch });
  return new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.split(
      ({ operationType }) => operationType === 'subscription',
      feedLink(feed, isTrusted),
      isTrusted ? trustedDocuments.concat(http) : http,
    ),
  });
}

/**
 * Keeps a query of the cache up to date: list, then watch. Read it with `fetchPolicy: 'cache-only'`.
 *
 * The cache updates the objects of an event by their IDs; `insert` adds an object that is not in the list yet.
 * The cursor is taken from the response of the list itself: the one in the cache may belong to a later query.
 *
 * @template {{ eventCursor: string }} List
 * @template Event
 * @param {ApolloClient} client
 * @param {{
 *   query: import('@apollo/client').TypedDocumentNode<List, any>, variables?: any,
 *   subscription: import('@apollo/client').TypedDocumentNode<Event, any>, filter?: any,
 *   insert(list: List, event: Event): List,
 * }} documents
 * @param {(problem: unknown) => void} onError
 * @returns {() => void} stops
 */
export function liveQuery(client, { query, variables, subscription, filter, insert }, onError) {
  return listThenWatch(
    async () => {
      const { data, error } = await client.query({ query, variables, fetchPolicy: 'network-only' });
      if (!data) throw error ?? new Error('there is no data');
      return data;
    },
    (after, { next, error }) => {
      const events = client.subscribe({ query: subscription, variables: { filter, after } }).subscribe({
        next: (result) => (result.error ? error(result.error) : next(/** @type {Event} */ (result.data))),
        error,
      });
      return () => events.unsubscribe();
    },
    {
      onList: () => {},
      onEvent: (event) => {
        client.cache.updateQuery({ query, variables }, (list) => list && insert(list, event));
      },
      onError,
    },
  );
}
