// The stock client of the older subprotocol, as used by GraphQL Playground and older Apollo clients.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { SubscriptionClient } from 'subscriptions-transport-ws';
import WebSocket from 'ws';
import {
  jobInput,
  logIn,
  PHASES,
  phasesUntilOver,
  SUBMIT,
  submitJob,
  UNKNOWN_JOB,
  VIEWER,
  WATCH,
  watching,
  wsUrl,
} from './platform.mjs';

const { token, username } = await logIn();
const connect = (connectionParams = { authorization: `Bearer ${token}` }, callback = undefined) =>
  new SubscriptionClient(wsUrl, { connectionParams, connectionCallback: callback }, WebSocket);
const client = connect();
after(() => client.close());

/** The first result of an operation, or its error thrown. */
const once = (operation, using = client) =>
  new Promise((resolve, reject) =>
    using.request(operation).subscribe({ next: resolve, error: reject, complete: () => resolve(undefined) }),
  );

test('a query is sent right behind the init and answered', async () => {
  const { data } = await once({ query: VIEWER });
  assert.equal(data.viewer.username, username);
});

test('a job is submitted and watched over the same socket', async () => {
  const { data } = await once({ query: SUBMIT, variables: { input: await jobInput() } });
  const variables = watching(data);
  const phases = await phasesUntilOver((sink) => {
    const { unsubscribe } = client.request({ query: WATCH, variables }).subscribe(sink);
    return unsubscribe;
  });
  assert.deepEqual(phases, PHASES);
});

test('a refused mutation is answered with its code', async () => {
  const { errors } = await once({ query: UNKNOWN_JOB });
  assert.equal(errors[0].extensions.code, 'NOT_FOUND');
});

test('a document that does not fit the schema is an error of the operation, and the socket stays', async () => {
  await assert.rejects(
    once({ query: 'subscription { nothing }' }),
    ({ extensions }) => extensions.code === 'GRAPHQL_VALIDATION_FAILED',
  );
  assert.ok(await once({ query: VIEWER }));
});

test('a dropped connection is taken up again and the subscription with it', async () => {
  const dropped = new SubscriptionClient(
    wsUrl,
    { reconnect: true, connectionParams: { authorization: `Bearer ${token}` } },
    WebSocket,
  );
  const variables = await submitJob();
  let isCut = false;
  const phases = await phasesUntilOver((sink) => {
    const next = (result) => {
      sink.next(result);
      if (!isCut) dropped.client.terminate();
      isCut = true;
    };
    const { unsubscribe } = dropped.request({ query: WATCH, variables }).subscribe({ ...sink, next });
    return unsubscribe;
  });
  dropped.close();
  // It subscribes with the variables that it began with, so it may hear the beginning twice.
  assert.deepEqual([...new Set(phases)], PHASES);
});

test('a token that is none is refused with the reason', async () => {
  const reason = await new Promise((resolve) => {
    const stranger = connect({ authorization: 'Bearer not-a-token' }, (error) => {
      resolve(error?.message);
      stranger.close();
    });
  });
  assert.match(reason, /the access token is invalid/);
});
