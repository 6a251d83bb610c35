// Each recipe as the tests run it: it lists the jobs of a user, follows them, and records what it was told.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { gql } from '@apollo/client';
import WebSocket from 'ws';
import * as apollo from '../apollo/live.mjs';
import { createFeed, listThenWatch } from '../graphql-ws/feed.mjs';
import { createSession } from '../graphql-ws/session.mjs';
import { watchJobs } from '../graphql-ws/watch.mjs';
import { createNetwork } from '../relay/live.mjs';
import * as urql from '../urql/live.mjs';

const examples = join(import.meta.dirname, '..');
const ROW = 'id name phase';
const LIST = `query Jobs($filter: JobFilter) {
  eventCursor
  jobs(first: 100, filter: $filter, orderBy: { field: SUBMITTED_AT, direction: DESC }) { nodes { ${ROW} } }
}`;
const WATCH = `subscription JobEvents($filter: JobEventFilter, $after: FeedCursor) {
  jobEvents(filter: $filter, after: $after) { cursor job { ${ROW} } }
}`;
const MINE = { mine: true };

/** What a recipe was told: the phases of the jobs as a page would show them, and the cursors by job. */
function record() {
  const [phases, cursors] = [new Map(), new Map()];
  let lists = 0;
  const problems = [];
  return {
    phases,
    cursors,
    problems,
    lists: () => lists,
    onList({ jobs }) {
      lists += 1;
      jobs.nodes.forEach(({ id, phase }) => phases.set(id, phase));
    },
    onEvent({ cursor, job: { id, phase } }) {
      phases.set(id, phase);
      cursors.set(id, [...(cursors.get(id) ?? []), cursor]);
    },
    onError: (problem) => problems.push(problem),
  };
}

/** The session and the feed of a page. */
function connect({ url, wsUrl, tokens }) {
  const session = createSession(url, tokens);
  return { session, feed: createFeed(wsUrl, session, WebSocket) };
}

/** A program that prints the list and the events as JSON. */
function watchProgram(command, args, { url, wsUrl, tokens }, told) {
  const folder = mkdtempSync(join(tmpdir(), 'recipe-'));
  const kept = join(folder, 'tokens.json');
  writeFileSync(kept, JSON.stringify(tokens));
  const child = spawn(command, args, {
    cwd: examples,
    env: { ...process.env, PLATFORM_URL: url, PLATFORM_WS_URL: wsUrl, PLATFORM_TOKENS: kept },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let said = '';
  child.stderr.on('data', (chunk) => (said = (said + chunk).slice(-2000)));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const value = JSON.parse(line);
    if (value.jobs) told.onList(value);
    else told.onEvent(value);
  });
  const over = new Promise((done) =>
    child.on('close', (code) => {
      if (code) told.onError(`ended with ${code}: ${said}`);
      rmSync(folder, { recursive: true, force: true });
      done();
    }),
  );
  return async () => {
    // The script has children of its own.
    if (child.exitCode === null) process.kill(-child.pid, 'SIGTERM');
    await over;
  };
}

/** How to start each recipe: each returns a function that stops it. */
export const RECIPES = {
  'graphql-ws': ({ url, wsUrl, tokens }, told) => watchJobs(url, wsUrl, tokens, told),

  'Apollo Client': (server, told) => {
    const { session, feed } = connect(server);
    const client = apollo.createApolloClient(server.url, session, feed);
    const query = gql(LIST);
    const variables = { filter: MINE };
    // What a page shows is what the cache has; the events are counted on their way into it.
    const page = client.watchQuery({ query, variables, fetchPolicy: 'cache-only' }).subscribe(({ data }) => {
      data?.jobs?.nodes?.forEach(({ id, phase }) => told.phases.set(id, phase));
    });
    const insert = (list, { jobEvents }) => {
      told.onEvent({ ...jobEvents, job: { ...jobEvents.job, phase: told.phases.get(jobEvents.job.id) } });
      const { nodes } = list.jobs;
      if (nodes.some(({ id }) => id === jobEvents.job.id)) return list;
      return { ...list, jobs: { ...list.jobs, nodes: [jobEvents.job, ...nodes] } };
    };
    const subscription = gql(WATCH);
    const documents = { query, variables, subscription, filter: MINE, insert };
    const stop = apollo.liveQuery(client, documents, told.onError);
    return async () => {
      stop();
      page.unsubscribe();
      await feed.dispose();
    };
  },

  urql: (server, told) => {
    const { session, feed } = connect(server);
    const client = urql.createUrqlClient(server.url, session, feed);
    const documents = { query: LIST, variables: { filter: MINE }, subscription: WATCH, filter: MINE };
    const stop = urql.liveQuery(client, documents, {
      ...told,
      onEvent: ({ jobEvents }) => told.onEvent(jobEvents),
    });
    return async () => {
      stop();
      await feed.dispose();
    };
  },

  // The network alone: what needs Relay's compiler is tried in the browser.
  Relay: (server, told) => {
    const { session, feed } = connect(server);
    const network = createNetwork(server.url, session, feed);
    const request = (operationKind, text) => ({ operationKind, text, name: null, id: null, metadata: {} });
    const list = async () => {
      const { data, errors } = await network
        .execute(request('query', LIST), { filter: MINE }, { force: true })
        .toPromise();
      if (errors) throw Object.assign(new Error(errors[0].message), { errors });
      return data;
    };
    const watch = (after, { next, error }) => {
      const events = network.execute(request('subscription', WATCH), { filter: MINE, after }, {});
      return events.subscribe({ next: ({ data }) => next(data.jobEvents), error }).unsubscribe;
    };
    const stop = listThenWatch(list, watch, told);
    return async () => {
      stop();
      await feed.dispose();
    };
  },

  'curl, server-sent events': (server, told) => watchProgram('curl/watch.sh', [], server, told),

  ...(process.env.PYTHON && {
    'Python gql': (server, told) => watchProgram(process.env.PYTHON, ['python/watch.py'], server, told),
  }),
};

/** Starts a recipe and waits until it has listed. */
export async function start(name, server) {
  const told = record();
  const stop = await RECIPES[name](server, told);
  return { ...told, name, stop };
}
