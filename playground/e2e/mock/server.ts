// A stand-in for the server, so that the page can be worked on by itself: `PLATFORM_BIN=mock npm run e2e`. It serves the
// real schema: jobs live in memory, and other answers are invented by their types. The test that counts runs against the
// real server.
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { buildSchema, execute, graphql, GraphQLError } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { resolveOrInvent } from './invent';
import { MockJobs } from './jobs';

const here = import.meta.dirname;
const DIST = join(here, '../../dist');
const SCHEMA = join(here, '../../../schema.graphql');
const USERS = [
  { username: 'admin', password: 'admin-demo', role: 'ADMIN' },
  { username: 'max', password: 'max-demo', role: 'MANAGER' },
  { username: 'mia', password: 'mia-demo', role: 'MEMBER' },
];
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.ttf': 'font/ttf',
};
const PROJECT = {
  id: 'project_00000000000000000000000001',
  name: 'vision',
  state: 'ACTIVE',
  group: { id: 'group_00000000000000000000000001', name: 'research' },
};

export interface Context {
  user: (typeof USERS)[number] | undefined;
}

const refuse = (code: string, message: string, field?: string) =>
  new GraphQLError(message, { extensions: { code, field, retryable: false, requestId: 'req_mock' } });

export const userOf = (authorization: unknown) =>
  USERS.find(({ username }) => authorization === `Bearer token-${username}`);

const sessionOf = (user: (typeof USERS)[number]) => ({
  accessToken: `token-${user.username}`,
  refreshToken: `refresh-${user.username}`,
  expiresAt: new Date(Date.now() + 900_000).toISOString(),
  user: {
    id: user.username,
    username: user.username,
    platformRole: user.role === 'ADMIN' ? 'ADMIN' : 'USER',
    memberships: { nodes: [{ role: user.role, group: PROJECT.group }] },
  },
});

interface SubmitInput {
  projectId: string;
  name?: string;
  source?: { commitId?: string };
}

/** A feed with a single event, which is invented. */
const once = (field: string) => () =>
  (async function* () {
    yield await Promise.resolve({ [field]: {} });
  })();

export function roots(jobs: MockJobs) {
  const project = { ...PROJECT, jobs: () => ({ nodes: [...jobs.all.values()] }) };
  const known = ({ user }: Context) => {
    if (!user) throw refuse('UNAUTHENTICATED', 'Log in first');
    return sessionOf(user).user;
  };
  return {
    viewer: (_: unknown, context: Context) => known(context),
    groups: (_: unknown, context: Context) => {
      known(context);
      return { nodes: [PROJECT.group] };
    },
    projects: (_: unknown, context: Context) => {
      known(context);
      return { nodes: [project], totalCount: 1 };
    },
    login: ({ input }: { input: { username: string; password: string } }) => {
      const user = USERS.find(
        ({ username, password }) => username === input.username && password === input.password,
      );
      if (!user) throw refuse('UNAUTHENTICATED', 'The name or the password is wrong');
      return sessionOf(user);
    },
    refreshSession: ({ input }: { input: { refreshToken: string } }) => {
      const user = USERS.find(({ username }) => input.refreshToken === `refresh-${username}`);
      if (!user) throw refuse('UNAUTHENTICATED', 'The session is over');
      return sessionOf(user);
    },
    logout: () => ({ ended: true }),
    submitJob: ({ input }: { input: SubmitInput }, context: Context) => {
      const user = known(context);
      if (input.projectId !== PROJECT.id) throw refuse('NOT_FOUND', 'No such project', 'input.projectId');
      const runMs = input.source?.commitId === undefined ? undefined : 6_000;
      return { job: jobs.submit(input.name ?? 'hello-flashjob', project, user, runMs) };
    },
    cancelJob: ({ input }: { input: { id: string; reason?: string } }, context: Context) => {
      known(context);
      return { job: jobs.cancel(input.id, input.reason ?? null) };
    },
    createConfigFile: ({ input }: { input: { name: string; message: string } }, context: Context) => {
      known(context);
      return {
        configFile: { id: 'config_1', name: input.name },
        commit: { id: 'commit_1', message: input.message },
      };
    },
    requestEvents: once('requestEvents'),
    pvcEvents: once('pvcEvents'),
    notificationEvents: once('notificationEvents'),
    auditEvents: once('auditEvents'),
    quotaUsage: once('quotaUsage'),
    jobEvents: ({ filter, after }: { filter?: { jobIds?: string[] }; after?: string }) =>
      jobs.follow(filter?.jobIds, after),
    jobLogs: async function* () {
      for (let line = 0; line < 3; line += 1) {
        await new Promise((resolve) => setTimeout(resolve, 200));
        const lines = [{ at: new Date().toISOString(), text: `hello ${line}` }];
        yield { jobLogs: { cursor: String(line), task: 0, pod: 'mock-0', lines } };
      }
      yield { jobLogs: { cursor: 'end', task: 0, pod: 'mock-0', lines: [], end: 'COMPLETE' } };
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function sendFile(path: string, response: ServerResponse): void {
  const file = normalize(join(DIST, path === '/' ? 'index.html' : path));
  try {
    response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream');
    response.end(readFileSync(file));
  } catch {
    response.writeHead(404).end();
  }
}

export const realSchema = () => buildSchema(readFileSync(SCHEMA, 'utf8'));

export interface MockServer {
  url: string;
  close: () => Promise<void>;
}

export async function startMock(stepMs = 400): Promise<MockServer> {
  const schema = realSchema();
  const rootValue = roots(new MockJobs(stepMs));

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    if (pathname === '/playground/config.json') {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ demoUsers: USERS, endpoint: '/graphql' }));
    } else if (pathname === '/graphql') {
      const { query, variables, operationName } = JSON.parse(await bodyOf(request)) as {
        query: string;
        variables?: Record<string, unknown>;
        operationName?: string;
      };
      const contextValue: Context = { user: userOf(request.headers.authorization) };
      const result = await graphql({
        schema,
        source: query,
        variableValues: variables,
        operationName,
        rootValue,
        contextValue,
        fieldResolver: resolveOrInvent,
      });
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(result));
    } else {
      sendFile(pathname, response);
    }
  };

  const server = createServer((request, response) => void answer(request, response));
  const sockets = new WebSocketServer({ server, path: '/graphql' });
  useServer(
    {
      schema,
      roots: { subscription: rootValue },
      execute: (args) => execute({ ...args, fieldResolver: resolveOrInvent }),
    },
    sockets,
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');

  return {
    url: `http://127.0.0.1:${address.port}/`,
    close: async () => {
      sockets.clients.forEach((socket) => socket.terminate());
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
