// The stock graphql-ws client: every operation over the WebSocket, the close codes it handles, and resuming.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createClient } from 'graphql-ws';
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
const connect = (options = {}) =>
  createClient({
    url: wsUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: 0,
    // Operations follow one another on one socket; without this it closes between them.
    lazyCloseTimeout: 2_000,
    ...options,
  });
const client = connect();
after(() => client.dispose());

/** The first result of an operation, or its error thrown. */
async function once(operation, using = client) {
  for await (const result of using.iterate(operation)) return result;
  return undefined;
}

test('a query runs over the socket', async () => {
  const { data } = await once({ query: VIEWER });
  assert.equal(data.viewer.username, username);
});

test('a job is submitted and watched over the same socket', async () => {
  const { data } = await once({ query: SUBMIT, variables: { input: await jobInput() } });
  const variables = watching(data);
  const phases = await phasesUntilOver((sink) => client.subscribe({ query: WATCH, variables }, sink));
  assert.deepEqual(phases, PHASES);
});

test('a refused mutation is answered with its code', async () => {
  const { errors } = await once({ query: UNKNOWN_JOB });
  assert.equal(errors[0].extensions.code, 'NOT_FOUND');
});

test('a document that does not fit the schema is an error of the operation, and the socket stays', async () => {
  await assert.rejects(
    once({ query: 'subscription { nothing }' }),
    (errors) => Array.isArray(errors) && errors.length > 0,
  );
  assert.ok(await once({ query: VIEWER }));
});

test('a dropped connection resumes behind the last cursor', async () => {
  let socket;
  const dropped = connect({ on: { opened: (opened) => (socket = opened) } });
  const variables = await submitJob();
  const seen = [];
  const watchOnce = (from, enough) =>
    new Promise((resolve) => {
      dropped.subscribe(
        { query: WATCH, variables: { ...variables, after: from } },
        {
          next: ({ data }) => {
            if (seen.at(-1)?.phase === data.jobEvents.phase) seen.pop();
            seen.push(data.jobEvents);
            if (enough(data.jobEvents)) socket.terminate();
          },
          error: resolve,
          complete: resolve,
        },
      );
    });
  await watchOnce(variables.after, () => true);
  await watchOnce(seen.at(-1).cursor, ({ phase }) => phase === 'SUCCEEDED');
  await dropped.dispose();
  assert.deepEqual(
    seen.map(({ phase }) => phase),
    PHASES,
  );
});

test('a subscription whose cursor has expired ends with an error and not as if it were done', async () => {
  const beyond = Buffer.from('e9223372036854775807').toString('base64url');
  const ended = await new Promise((resolve) => {
    client.subscribe(
      { query: WATCH, variables: { after: beyond } },
      { next: resolve, error: resolve, complete: () => resolve('complete') },
    );
  });
  assert.equal(ended[0].extensions.code, 'RESUME_EXPIRED');
  assert.equal(ended[0].extensions.retryable, false);
});

test('a ping tells how far a subscription has come that nothing happens for', async () => {
  const { after: start } = await submitJob();
  const none = { filter: { jobIds: [] }, after: start };
  const cursor = await new Promise((resolve, reject) => {
    const quiet = connect({
      generateID: () => 'quiet',
      on: {
        ping: (_, payload) => {
          resolve(payload?.cursors?.quiet);
          quiet.dispose();
        },
      },
    });
    quiet.subscribe(
      { query: WATCH, variables: none },
      { next: reject, error: reject, complete: () => undefined },
    );
  });
  const seq = (text) => Number(Buffer.from(text, 'base64url').toString().slice(1));
  // The job goes on meanwhile, and so does the subscription.
  assert.ok(seq(cursor) > seq(start));
});

test('a token that is none is refused with 4403', async () => {
  const stranger = connect({ connectionParams: { authorization: 'Bearer not-a-token' } });
  await assert.rejects(once({ query: VIEWER }, stranger), ({ code }) => code === 4403);
});

test('a sub-protocol that the server does not know is refused', async () => {
  const socket = new WebSocket(wsUrl, 'mqtt');
  const end = await new Promise((resolve) => {
    socket.on('close', (code) => resolve(code));
    socket.on('unexpected-response', (_, response) => resolve(response.statusCode));
    socket.on('error', (error) => resolve(error.message));
  });
  assert.ok(end === 4406 || end === 400 || /subprotocol/i.test(String(end)), `ended with ${end}`);
});
