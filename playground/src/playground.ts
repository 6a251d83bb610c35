// The parts of the page, put together once, outside of React.
import type { ExecutionResult } from 'graphql';
import { socketUrl, suggestedUser, type PlaygroundConfig } from './config';
import { Feeds } from './live/feeds';
import { factsIn } from './operations/learn';
import type { Facts } from './operations/template';
import { templates } from './operations/templates';
import { SessionKeeper } from './session/session';
import { Store } from './store';
import type { Problem } from './transport/errors';
import { playgroundFetcher } from './transport/fetcher';
import { httpTransport } from './transport/http';
import type { Operation } from './transport/resume';
import { socketClient, type SocketState } from './transport/socket';
import { followNews } from './viewer/news';
import { Viewer } from './viewer/viewer';

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
  const viewer = new Viewer(send, () => session.token());
  const feeds = new Feeds(client, () => session.renew(), standing);
  const problems = new Store<Problem[]>([]);
  const facts = new Store<Facts>({});
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

  const onAnswer = (result: ExecutionResult, { operationName }: Operation) => {
    const used = ready.find(({ name }) => name === operationName);
    if (used) viewer.keep(used);
    const learnt = factsIn(result);
    if (Object.keys(learnt).length > 0) facts.update((known) => ({ ...known, ...learnt }));
    watch(result);
    // Whoever creates a group or a project goes on with it.
    const { createGroup, createProject } = (result.data ?? {}) as CreatedData;
    if (createProject) viewer.chooseProject(createProject.project.id);
    else if (createGroup) viewer.chooseGroup(createGroup.group.id);
    else void viewer.reload();
  };

  let stopNews: () => void = () => undefined;
  const startNews = () =>
    followNews(
      {
        standing,
        renew: () => session.renew(),
        wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
        subscribe: (operation, sink) => client.subscribe(operation, sink),
      },
      () => void viewer.reload(),
    );

  let loggedInAs: string | null | undefined;
  const onSession = () => {
    const username = session.state.get().session?.username ?? null;
    if (username === loggedInAs) return;
    loggedInAs = username;
    // The socket speaks for whoever opened it.
    stopNews();
    feeds.closeAll();
    client.terminate();
    stopNews = username === null ? () => undefined : startNews();
    problems.set([]);
    viewer.arrive();
  };
  session.state.subscribe(onSession);
  onSession();

  const fetcher = playgroundFetcher({ send, session, feeds, problems, activeTab: activeTab.get, onAnswer });
  return {
    config,
    send,
    session,
    socket,
    feeds,
    problems,
    facts,
    viewer,
    activeTab,
    templates: ready,
    fetcher,
  };
}

interface CreatedData {
  createGroup?: { group: { id: string } } | null;
  createProject?: { project: { id: string } } | null;
}

interface SubmittedData {
  submitJob: { job: { id: string; name: string; events?: { nodes: Record<string, unknown>[] } } };
}
