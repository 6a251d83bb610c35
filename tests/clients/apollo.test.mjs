// Apollo Client: HTTP, subscriptions over graphql-ws, and subscriptions over HTTP (multipart/mixed).
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { after, describe, test } from 'node:test';
import {
  ApolloClient,
  ApolloLink,
  CombinedGraphQLErrors,
  gql,
  HttpLink,
  InMemoryCache,
} from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { createClient } from 'graphql-ws';
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
const http = new HttpLink({ uri: graphqlUrl, headers: { authorization } });
const socket = createClient({ url: wsUrl, webSocketImpl: WebSocket, connectionParams: { authorization } });
after(() => socket.dispose());

const clientWith = (subscriptions) =>
  new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.split(({ operationType }) => operationType === 'subscription', subscriptions, http),
  });

describe('Apollo Client', () => {
  const client = clientWith(new GraphQLWsLink(socket));

  test('queries', async () => {
    const { data } = await client.query({ query: gql(VIEWER) });
    assert.equal(data.viewer.username, username);
  });

  test('reads the code of an error', async () => {
    await assert.rejects(client.mutate({ mutation: gql(UNKNOWN_JOB) }), (error) => {
      assert.ok(CombinedGraphQLErrors.is(error));
      return error.errors[0].extensions.code === 'NOT_FOUND';
    });
  });

  test('sends a text once and its hash from then on (automatic persisted queries)', async () => {
    const sent = [];
    const watching = new HttpLink({
      uri: graphqlUrl,
      headers: { authorization, 'apollo-require-preflight': 'true' },
      fetch(uri, options) {
        const carries = options.method === 'GET' ? uri : options.body;
        sent.push(`${options.method} ${carries.includes('username') ? 'text' : 'hash'}`);
        return fetch(uri, options);
      },
    });
    const sha256 = (text) => createHash('sha256').update(text).digest('hex');
    const link = new PersistedQueryLink({ sha256, useGETForHashedQueries: true }).concat(watching);
    const persisting = new ApolloClient({ cache: new InMemoryCache(), link });
    const query = gql(`query Viewer${randomUUID().replaceAll('-', '')} { viewer { username } }`);
    for (const expected of [['GET hash', 'POST text'], ['GET hash']]) {
      const { data } = await persisting.query({ query, fetchPolicy: 'network-only' });
      assert.equal(data.viewer.username, username);
      assert.deepEqual(sent.splice(0), expected);
    }
  });

  for (const [transport, link] of [
    ['graphql-ws', new GraphQLWsLink(socket)],
    ['multipart/mixed', http],
  ]) {
    test(`subscribes over ${transport}`, async () => {
      const variables = await submitJob();
      const phases = await phasesUntilOver((sink) => {
        const subscription = clientWith(link)
          .subscribe({ query: gql(WATCH), variables })
          .subscribe(sink);
        return () => subscription.unsubscribe();
      });
      assert.deepEqual(phases, PHASES);
    });
  }
});
