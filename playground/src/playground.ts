// The parts of the page, put together once, outside of React.
import type { ExecutionResult } from 'graphql';
import { socketUrl, suggestedUser, type PlaygroundConfig } from './config';
import { Feeds } from './live/feeds';
import { factsIn } from './operations/fill';
import { mostRightsFirst, type Project } from './operations/projects';
import { MY_PROJECTS } from './operations/session';
import { templates, type Facts } from './operations/templates';
import { SessionKeeper } from './session/session';
import { Store } from './store';
import type { Problem } from './transport/errors';
import { playgroundFetcher } from './transport/fetcher';
import { httpTransport } from './transport/http';
import { socketClient, type SocketState } from './transport/socket';

export type Playground = ReturnType<typeof createPlayground>;

export function createPlayground(config: PlaygroundConfig) {
  const send = httpTransport(config.endpoint);
  const session = new SessionKeeper(send, sessionStorage);
  const socket = new Store<SocketState>('closed');
  const standing = new Store<string | null>(null);
  const client = socketClient(
    socketUrl(config.websocket, location.href),
    () => session.token(),
    (state) => socket.set(state),
    (cursor) => standing.set(cursor),
  );
  const feeds = new Feeds(client, () => session.renew(), standing);
  const problems = new Store<Problem[]>([]);
  const facts = new Store<Facts>({});
  const projects = new Store<Project[]>([]);
  const activeTab = new Store<string | undefined>(undefined);
  const ready = templates(suggestedUser(config.demoUsers));

  /** A submitted job is watched at once, from the event of its submission on. */
  const watch = (result: ExecutionResult) => {
    const { jobId, cursor } = factsIn(result);
    const template = ready.find(({ name }) => name === 'WatchJob');
    if (jobId === undefined || template === undefined) return;
    const job = (result.data as unknown as SubmittedData).submitJob.job;
    const submitted = job.events?.nodes[0];
    const variables = { filter: { jobIds: [jobId] }, after: cursor ?? null };
    const seed = submitted
      ? [{ data: { jobEvents: { ...submitted, job: { id: job.id, name: job.name } } } }]
      : [];
    feeds.open({ query: template.query, operationName: 'WatchJob', variables }, undefined, seed);
  };

  const onAnswer = (result: ExecutionResult) => {
    const learnt = factsIn(result);
    if (Object.keys(learnt).length > 0) facts.update((known) => ({ ...known, ...learnt }));
    watch(result);
  };

  const loadProjects = async () => {
    const token = await session.token();
    const result = token === null ? null : await send({ query: MY_PROJECTS }, token).catch(() => null);
    const mine = mostRightsFirst(result?.data ?? null);
    projects.set(mine);
    const known = facts.get().projectId;
    const projectId = mine.some(({ id }) => id === known) ? known : mine[0]?.id;
    if (projectId !== undefined) facts.update((others) => ({ ...others, projectId }));
  };

  let loggedInAs: string | undefined;
  const onSession = () => {
    const username = session.state.get().session?.username;
    if (username === loggedInAs) return;
    loggedInAs = username;
    // The socket speaks for whoever opened it.
    feeds.closeAll();
    client.terminate();
    problems.set([]);
    void loadProjects();
  };
  session.state.subscribe(onSession);
  onSession();

  const fetcher = playgroundFetcher({ send, session, feeds, problems, activeTab: activeTab.get, onAnswer });
  return { config, session, socket, feeds, problems, facts, projects, activeTab, templates: ready, fetcher };
}

interface SubmittedData {
  submitJob: { job: { id: string; name: string; events?: { nodes: Record<string, unknown>[] } } };
}
