// Relay: a network whose subscriptions resume, and lists in its store that stay up to date.
import relay from 'relay-runtime';
import { listThenWatch } from '../graphql-ws/feed.mjs';

const { Environment, fetchQuery, Network, Observable, RecordSource, requestSubscription, Store } = relay;

/**
 * @param {string} url @param {import('../graphql-ws/session.mjs').Session} session
 * @param {import('../graphql-ws/feed.mjs').Feed} feed
 */
export function createNetwork(url, session, feed) {
  /**
   * The text, or the ID of a trusted document if the compiler runs with `persistConfig`.
   * @param {import('relay-runtime').RequestParameters} request @param {import('relay-runtime').Variables} variables
   */
  const operation = ({ id, text, name }, variables) => ({
    ...(id ? { documentId: id } : { query: text ?? '' }),
    operationName: name,
    variables,
  });
  return Network.create(
    async (request, variables) => {
      const response = await session.fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
        body: JSON.stringify(operation(request, variables)),
      });
      return response.json();
    },
    (request, variables) =>
      Observable.create((sink) =>
        feed.subscribe(/** @type {import('graphql-ws').SubscribePayload} */ (operation(request, variables)), {
          next: sink.next,
          complete: sink.complete,
          error: (problem) =>
            sink.error(
              problem instanceof Error
                ? problem
                : Object.assign(new Error('the feed failed'), { errors: problem }),
            ),
        }),
      ),
  );
}

/** @param {Parameters<typeof createNetwork>} parts */
export const createEnvironment = (...parts) =>
  new Environment({ network: createNetwork(...parts), store: new Store(new RecordSource()) });

/**
 * Keeps a query of the store up to date: list, then watch. Read it with `fetchPolicy: 'store-only'`.
 *
 * The store updates the objects of an event by their IDs; `updater` adds an object that is not in the list yet.
 * The cursor is taken from the response of the list itself: the one in the store may belong to a later query.
 *
 * @template {import('relay-runtime').OperationType} Query
 * @template {import('relay-runtime').OperationType} Events
 * @param {import('relay-runtime').Environment} environment
 * @param {{
 *   query: import('relay-runtime').GraphQLTaggedNode, variables?: Query['variables'],
 *   subscription: import('relay-runtime').GraphQLTaggedNode, filter?: unknown,
 *   updater: import('relay-runtime').SelectorStoreUpdater<Events['response']>,
 * }} documents
 * @param {{ onList(): void, onEvent(event: Events['response']): void, onError(problem: unknown): void }} on
 * @returns {() => void} stops
 */
export function liveQuery(environment, { query, variables = {}, subscription, filter, updater }, on) {
  return listThenWatch(
    async () => {
      const response = fetchQuery(environment, query, variables, { fetchPolicy: 'network-only' });
      const data = await response.toPromise();
      if (!data) throw new Error('there is no data');
      return /** @type {{ eventCursor: string }} */ (/** @type {unknown} */ (data));
    },
    (after, { next, error }) =>
      requestSubscription(environment, {
        subscription,
        variables: { filter, after },
        updater,
        onNext: (event) => event && next(/** @type {Events['response']} */ (event)),
        onError: error,
      }).dispose,
    on,
  );
}
