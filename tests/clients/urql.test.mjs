// urql: HTTP, subscriptions over graphql-ws, and subscriptions over HTTP (server-sent events or multipart).
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import { pipe, subscribe } from 'wonka';
import WebSocket from 'ws';
import {
  graphqlUrl,
  logIn,
  PHASES,
  phasesUntilOver,
  submitJob,
  UNKNOWN_JOB,
  VIEWER,
  WATCH,
  wsUrl,
} from './platform.mjs';

const { token, username } = await logIn();
const authorization = `Bearer ${token}`;
const socket = createClient({ url: wsUrl, webSocketImpl: WebSocket, connectionParams: { authorization } });
after(() => socket.dispose());

const overSocket = subscriptionExchange({
  forwardSubscription: ({ query = '', variables }) => ({
    subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }),
  }),
});
const clientWith = (options) =>
  new Client({
    url: graphqlUrl,
    preferGetMethod: false,
    fetchOptions: { headers: { authorization } },
    ...options,
  });

describe('urql', () => {
  const client = clientWith({ exchanges: [overSocket, fetchExchange] });

  test('queries', async () => {
    const { data } = await client.query(VIEWER, {}).toPromise();
    assert.equal(data.viewer.username, username);
  });

  test('reads the code of an error', async () => {
    const { error } = await client.mutation(UNKNOWN_JOB, {}).toPromise();
    assert.equal(error.graphQLErrors[0].extensions.code, 'NOT_FOUND');
  });

  for (const [transport, options] of [
    ['graphql-ws', { exchanges: [overSocket, fetchExchange] }],
    ['HTTP', { exchanges: [fetchExchange], fetchSubscriptions: true }],
  ]) {
    test(`subscribes over ${transport}`, async () => {
      const variables = await submitJob();
      const phases = await phasesUntilOver((sink) => {
        const { unsubscribe } = pipe(
          clientWith(options).subscription(WATCH, variables),
          subscribe(sink.next),
        );
        return unsubscribe;
      });
      assert.deepEqual(phases, PHASES);
    });
  }
});
