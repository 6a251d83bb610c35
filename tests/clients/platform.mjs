// The server under test, and what the tests of all clients do with it: log in, submit a job, watch it.
import { readFileSync } from 'node:fs';

const ready = JSON.parse(readFileSync(process.env.PLATFORM_READY_FILE, 'utf8'));
export const { graphqlUrl, wsUrl } = ready;

/** A demo user who is not an administrator. */
export const user = ready.users.find(({ role }) => role.toUpperCase() !== 'ADMIN');

export const VIEWER = 'query Viewer { viewer { id username } }';
export const SUBMIT = `mutation Submit($input: SubmitJobInput!) {
  submitJob(input: $input) { job { id phase events(first: 1) { nodes { cursor } } } }
}`;
export const WATCH = `subscription Watch($filter: JobEventFilter, $after: FeedCursor) {
  jobEvents(filter: $filter, after: $after) { cursor phase job { id } }
}`;
export const UNKNOWN_JOB =
  'mutation Cancel { cancelJob(input: { id: "job_01h455vb4pex5vsknk084sn02q" }) { job { id } } }';

/** What a job goes through behind the event of its submission. */
export const PHASES = ['QUEUED', 'RUNNING', 'SUCCEEDED'];

/** An operation with nothing but fetch, for what a test needs before its client comes in. */
export async function ask(query, variables, token) {
  const response = await fetch(graphqlUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

let session;

/** The token of a demo user who is not an administrator, and the user's name; logs in once. */
export async function logIn() {
  session ??= ask(
    'mutation LogIn($input: LoginInput!) { login(input: $input) { accessToken user { id } } }',
    {
      input: { username: user.username, password: user.password },
    },
  );
  const { login } = await session;
  return { token: login.accessToken, username: user.username };
}

/** The input of a job that runs for a moment in the first project of the viewer. */
export async function jobInput() {
  const { token } = await logIn();
  const { projects } = await ask('query Projects { projects(first: 1) { nodes { id } } }', {}, token);
  return {
    projectId: projects.nodes[0].id,
    name: 'client-test',
    source: {
      spec: {
        image: 'busybox:1.37',
        command: ['sh', '-c', 'sleep 1'],
        resources: { cpu: '100m', memory: '64Mi' },
      },
    },
  };
}

/** The variables that watch a submitted job behind its first event. */
export const watching = ({ submitJob: { job } }) => ({
  filter: { jobIds: [job.id] },
  after: job.events.nodes[0].cursor,
});

export async function submitJob() {
  const { token } = await logIn();
  return watching(await ask(SUBMIT, { input: await jobInput() }, token));
}

/** Reads events from anything that calls back, until the job is over: the phases, in order. */
export function phasesUntilOver(subscribe) {
  return new Promise((resolve, reject) => {
    const phases = [];
    const timer = setTimeout(() => finish(() => reject(new Error(`only saw ${phases.join()}`))), 30_000);
    let stop = () => undefined;
    let over = false;
    const finish = (settle) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      settle();
      // A client may answer before it has handed out the function that stops it.
      setTimeout(() => stop());
    };
    const next = (result) => {
      if (result.errors?.length || result.error) {
        return finish(() => reject(new Error(JSON.stringify(result.errors ?? result.error))));
      }
      // Events of tasks come between those of the job.
      const { phase } = result.data.jobEvents;
      if (phases.at(-1) !== phase) phases.push(phase);
      if (phases.at(-1) === 'SUCCEEDED') finish(() => resolve(phases));
    };
    const error = (problem) =>
      finish(() => reject(problem instanceof Error ? problem : new Error(JSON.stringify(problem))));
    stop = subscribe({
      next,
      error,
      complete: () => finish(() => reject(new Error(`completed after ${phases.join()}`))),
    });
  });
}
