// Relay's network layer, with operations as its compiler provides them: text, name, kind and variables.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { createClient } from 'graphql-ws';
import relay from 'relay-runtime';
import WebSocket from 'ws';
import { graphqlUrl, logIn, PHASES, phasesUntilOver, submitJob, VIEWER, WATCH, wsUrl } from './platform.mjs';

const { Network, Observable } = relay;
const { token, username } = await logIn();
const authorization = `Bearer ${token}`;
const socket = createClient({ url: wsUrl, webSocketImpl: WebSocket, connectionParams: { authorization } });
after(() => socket.dispose());

const network = Network.create(
  async ({ text, name }, variables) => {
    const response = await fetch(graphqlUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization },
      body: JSON.stringify({ query: text, operationName: name, variables }),
    });
    return response.json();
  },
  ({ text, name }, variables) =>
    Observable.create((sink) => socket.subscribe({ query: text, operationName: name, variables }, sink)),
);
const request = (operationKind, name, text) => ({
  operationKind,
  name,
  text,
  id: null,
  cacheID: name,
  metadata: {},
});

describe('Relay', () => {
  test('queries', async () => {
    const { data } = await network.execute(request('query', 'Viewer', VIEWER), {}, {}).toPromise();
    assert.equal(data.viewer.username, username);
  });

  test('subscribes over graphql-ws', async () => {
    const variables = await submitJob();
    const phases = await phasesUntilOver((sink) => {
      const subscription = network
        .execute(request('subscription', 'Watch', WATCH), variables, {})
        .subscribe(sink);
      return () => subscription.unsubscribe();
    });
    assert.deepEqual(phases, PHASES);
  });
});
