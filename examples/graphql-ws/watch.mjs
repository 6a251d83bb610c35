// Lists your jobs and follows them: `PLATFORM_USERNAME=maya PLATFORM_PASSWORD=... node graphql-ws/watch.mjs`.
import { pathToFileURL } from 'node:url';
import WebSocket from 'ws';
import { createFeed, listThenWatch } from './feed.mjs';
import { createSession, logIn } from './session.mjs';

const LIST = `query Jobs {
  eventCursor
  jobs(first: 100, filter: { mine: true }, orderBy: { field: SUBMITTED_AT, direction: DESC }) { nodes { id name phase } }
}`;
const WATCH = `subscription JobEvents($after: FeedCursor) {
  jobEvents(filter: { mine: true }, after: $after) { cursor job { id name phase } }
}`;

/** @typedef {{ id: string, name: string, phase: string }} Job */

/**
 * @param {string} url @param {string} wsUrl @param {import('./session.mjs').Tokens} tokens
 * @param {{
 *   onList(list: { eventCursor: string, jobs: { nodes: Job[] } }): void,
 *   onEvent(event: { cursor: string, job: Job }): void,
 *   onError(problem: unknown): void,
 * }} on
 */
export function watchJobs(url, wsUrl, tokens, on) {
  const session = createSession(url, tokens);
  const feed = createFeed(wsUrl, session, WebSocket);
  const list = async () => {
    const response = await session.fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: LIST }),
    });
    const { data, errors } = await response.json();
    if (errors) throw Object.assign(new Error(errors[0].message), { errors });
    return data;
  };
  const stop = listThenWatch(
    list,
    (after, { next, error }) =>
      feed.subscribe(
        { query: WATCH, variables: { after } },
        { next: ({ data }) => next(data.jobEvents), error, complete: () => {} },
      ),
    on,
  );
  return async () => {
    stop();
    await feed.dispose();
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const {
    PLATFORM_URL = 'http://localhost:8080/graphql',
    PLATFORM_USERNAME = '',
    PLATFORM_PASSWORD = '',
  } = process.env;
  const tokens = await logIn(PLATFORM_URL, PLATFORM_USERNAME, PLATFORM_PASSWORD);
  watchJobs(PLATFORM_URL, PLATFORM_URL.replace(/^http/, 'ws'), tokens, {
    onList: ({ jobs }) => jobs.nodes.forEach((job) => console.log(job.name, job.phase)),
    onEvent: ({ job }) => console.log(job.name, job.phase),
    onError: (problem) => {
      console.error(problem);
      process.exit(1);
    },
  });
}
