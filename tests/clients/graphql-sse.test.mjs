// The stock graphql-sse client with distinct connections, and resuming with Last-Event-ID as an EventSource does.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { createClient } from 'graphql-sse';
import { graphqlUrl, logIn, PHASES, phasesUntilOver, submitJob, VIEWER, WATCH } from './platform.mjs';

const { token, username } = await logIn();
const authorization = `Bearer ${token}`;
const client = createClient({ url: graphqlUrl, headers: { authorization }, retryAttempts: 0 });
after(() => client.dispose());

/** The events of a stream as [id, phase], from one connection, until `enough` of them came. */
async function readStream(variables, headers, enough) {
  const abort = new AbortController();
  const response = await fetch(graphqlUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization, ...headers },
    body: JSON.stringify({ query: WATCH, variables }),
    signal: abort.signal,
  });
  assert.equal(response.headers.get('content-type').split(';')[0], 'text/event-stream');
  const events = [];
  let text = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const blocks = text.split(/\r?\n\r?\n/);
    text = blocks.pop();
    for (const block of blocks) {
      const field = (name) => new RegExp(`^${name}: ?(.*)$`, 'm').exec(block)?.[1];
      if (field('event') === 'next')
        events.push([field('id'), JSON.parse(field('data')).data.jobEvents.phase]);
    }
    if (enough(events)) break;
  }
  abort.abort();
  return events;
}

describe('graphql-sse', () => {
  test('queries', async () => {
    const { value } = await client.iterate({ query: VIEWER }).next();
    assert.equal(value.data.viewer.username, username);
  });

  test('subscribes', async () => {
    const variables = await submitJob();
    const phases = await phasesUntilOver((sink) => client.subscribe({ query: WATCH, variables }, sink));
    assert.deepEqual(phases, PHASES);
  });

  test('resumes behind Last-Event-ID', async () => {
    const variables = await submitJob();
    const [first] = await readStream(variables, {}, (events) => events.length > 0);
    const rest = await readStream(
      variables,
      { 'last-event-id': first[0] },
      (events) => events.at(-1)?.[1] === 'SUCCEEDED',
    );
    // Although the variables say to begin with the first one.
    assert.ok(rest.every(([id]) => id !== first[0]));
    assert.deepEqual(
      [first, ...rest].map(([, phase]) => phase).filter((phase, index, all) => phase !== all[index - 1]),
      PHASES,
    );
  });
});
