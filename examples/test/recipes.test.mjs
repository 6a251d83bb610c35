// Each recipe through a proxy that cuts its connections: it loses nothing, repeats nothing and shows nothing stale.
//
// TRIAL_SECONDS=120 TRIAL_JOBS=200 TRIAL_CUT_MS=2000 ACCESS_TOKEN_MINUTES=1 npm test -- recipes   for a longer trial;
// TRIAL_RECIPE=curl for a single recipe
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { graphqlUrl, jobInput, SUBMIT, user, wsUrl } from '../../tests/clients/platform.mjs';
import { proxyBefore } from '../../tests/clients/proxy.mjs';
import { createSession, logIn as getTokens } from '../graphql-ws/session.mjs';
import { answeringProxy } from './answering-proxy.mjs';
import { RECIPES, start } from './watchers.mjs';

const { TRIAL_SECONDS = '6', TRIAL_JOBS = '8', TRIAL_CUT_MS = '700', TRIAL_RECIPE = '' } = process.env;
const NAMES = Object.keys(RECIPES).filter((name) => name.includes(TRIAL_RECIPE));
const OVER = new Set(['SUCCEEDED', 'FAILED', 'CANCELLED']);

const input = await jobInput();

/** New tokens, so that each recipe has a session of its own. */
const tokens = () => getTokens(graphqlUrl, user.username, user.password);
// The tests' own session lasts as long as the trial.
const own = createSession(graphqlUrl, await tokens());
async function asked(query, variables) {
  const response = await own.fetch(graphqlUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
async function until(what, holds, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  while (!(await holds())) {
    assert.ok(Date.now() < end, `not in time: ${what()}`);
    await sleep(50);
  }
}

/** True, or fails at once. */
const isWell = (problems) => assert.deepEqual(problems, []) ?? true;

const submit = async () => (await asked(SUBMIT, { input })).submitJob.job.id;
const HISTORY = `query History($id: ID!) {
  job(id: $id) { phase events(first: 100) { nodes { cursor } } }
}`;

describe('through a proxy that cuts every connection', () => {
  const watchers = {};
  const jobs = new Map();
  const proxies = [];
  before(async () => {
    // So that the first list is not empty.
    await submit();
    for (const name of NAMES) {
      const proxy = await proxyBefore(wsUrl);
      proxies.push(proxy);
      const server = { url: proxy.url.replace(/^ws/, 'http'), wsUrl: proxy.url, tokens: await tokens() };
      watchers[name] = await start(name, server);
    }
    const all = Object.values(watchers);
    const states = () =>
      all.map(({ name, lists, problems, phases }) => [name, lists(), problems, phases.size]);
    await until(
      () => JSON.stringify(states()),
      () => all.every(({ problems, phases }) => isWell(problems) && phases.size > 0),
    );
    // The first cut is before any event, when no recipe has a cursor but that of its list.
    const cutting = setInterval(() => proxies.forEach(({ cut }) => cut()), Number(TRIAL_CUT_MS));
    proxies.forEach(({ cut }) => cut());
    for (let number = 0; number < Number(TRIAL_JOBS); number += 1) {
      jobs.set(await submit(), []);
      await sleep((Number(TRIAL_SECONDS) * 1000) / Number(TRIAL_JOBS));
    }
    for (const id of jobs.keys()) {
      let job;
      await until(
        () => JSON.stringify(job),
        async () => OVER.has((job = (await asked(HISTORY, { id })).job).phase),
      );
    }
    clearInterval(cutting);
    for (const id of jobs.keys()) {
      const { job } = await asked(HISTORY, { id });
      jobs.set(id, { phase: job.phase, cursors: job.events.nodes.map(({ cursor }) => cursor) });
    }
  });
  after(async () => {
    await Promise.all(Object.values(watchers).map(({ stop }) => stop()));
    proxies.forEach(({ close }) => close());
  });

  for (const name of NAMES) {
    test(`${name} loses and repeats nothing, and shows nothing stale`, async () => {
      const { phases, cursors, problems } = watchers[name];
      const told = (id) => cursors.get(id) ?? [];
      const behind = () => {
        const isBehind = ([id, { phase, cursors }]) =>
          told(id).length < cursors.length || phases.get(id) !== phase;
        return [...jobs].filter(isBehind).map(([id]) => [id, phases.get(id), told(id)]);
      };
      await until(
        () => `${name}: ${JSON.stringify(behind())} ${problems}`,
        () => isWell(problems) && behind().length === 0,
      );
      for (const [id, { cursors: happened }] of jobs) assert.deepEqual(told(id), happened);
    });
  }
});

describe('with an access token that the server rejects', () => {
  for (const name of NAMES) {
    test(`${name} gets a new one and goes on`, async () => {
      const { refreshToken } = await tokens();
      const server = { url: graphqlUrl, wsUrl, tokens: { accessToken: 'rejected', refreshToken } };
      const watcher = await start(name, server);
      try {
        await until(
          () => `${name} ${watcher.problems}`,
          () => isWell(watcher.problems) && watcher.phases.size > 0,
        );
        const id = await submit();
        await until(
          () => `${name} ${watcher.problems} ${watcher.phases.get(id)}`,
          () => isWell(watcher.problems) && watcher.phases.get(id) === 'SUCCEEDED',
        );
      } finally {
        await watcher.stop();
      }
    });
  }
});

describe('with an access token that the server rejects after the list', () => {
  for (const name of NAMES) {
    test(`${name} gets a new one and goes on`, async () => {
      const { accessToken, refreshToken } = await tokens();
      // The list is asked for with the good token; the WebSocket, or the stream, with the one that the recipe has.
      const proxy = await answeringProxy(graphqlUrl, {
        headers(headers) {
          const isStream = headers.accept === 'text/event-stream';
          return isStream || !headers.authorization
            ? headers
            : { ...headers, authorization: `Bearer ${accessToken}` };
        },
      });
      const server = { url: proxy.url, wsUrl, tokens: { accessToken: 'rejected', refreshToken } };
      const watcher = await start(name, server);
      try {
        const id = await submit();
        await until(
          () => `${name} ${watcher.problems} ${watcher.phases.get(id)}`,
          () => isWell(watcher.problems) && watcher.phases.get(id) === 'SUCCEEDED',
        );
      } finally {
        await watcher.stop();
        proxy.close();
      }
    });
  }
});

describe('with a cursor that the event log does not reach back to', () => {
  const EXPIRED = Buffer.from('e9223372036854775807').toString('base64url');

  for (const name of NAMES) {
    test(`${name} lists again`, async () => {
      let isFirst = true;
      const proxy = await answeringProxy(graphqlUrl, {
        answer(text) {
          if (!isFirst || !text.includes('"eventCursor"')) return text;
          isFirst = false;
          return text.replace(/("eventCursor":)"[^"]*"/, `$1"${EXPIRED}"`);
        },
      });
      const watcher = await start(name, { url: proxy.url, wsUrl, tokens: await tokens() });
      try {
        const id = await submit();
        await until(
          () => `${name} ${watcher.problems} ${watcher.phases.get(id)}`,
          () => isWell(watcher.problems) && watcher.phases.get(id) === 'SUCCEEDED',
        );
        assert.equal(isFirst, false);
      } finally {
        await watcher.stop();
        proxy.close();
      }
    });
  }
});

describe('with a refresh token that the server rejects', () => {
  for (const name of NAMES) {
    test(`${name} ends`, async () => {
      const tokens = { accessToken: 'rejected', refreshToken: 'rejected' };
      const watcher = await start(name, { url: graphqlUrl, wsUrl, tokens });
      await until(
        () => name,
        () => watcher.problems.length > 0,
      );
      await watcher.stop();
    });
  }
});
