// What the page keeps about the viewer, and what it chooses for them to work on.
import { describe, expect, test } from 'vitest';
import type { Operation } from '../transport/resume';
import type { Group, GroupRole, Project } from './situation';
import { mostRightsFirst, rolesInWords } from './situation';
import { choose, Viewer } from './viewer';

const group = (name: string, viewerRole: GroupRole | null = null): Group => ({ id: name, name, viewerRole });
const project = (name: string, group: string, state: Project['state'] = 'ACTIVE'): Project => ({
  id: name,
  name,
  state,
  group: { id: group, name: group },
});

describe('what to work on', () => {
  const groups = [group('language', 'MEMBER'), group('vision', 'MANAGER'), group('empty', 'MEMBER')];
  const projects = [
    project('corpus', 'language'),
    project('old', 'vision', 'ARCHIVED'),
    project('detection', 'vision'),
  ];
  const names = (wanted: { groupId?: string; projectId?: string }) => {
    const chosen = choose(groups, projects, wanted);
    return [chosen.group?.name, chosen.project?.name];
  };

  test('is at first where the viewer may do most, but not in an archived project', () => {
    expect(names({})).toEqual(['vision', 'detection']);
  });

  test('is the project that was chosen, in its group', () => {
    expect(names({ projectId: 'corpus' })).toEqual(['language', 'corpus']);
    expect(names({ projectId: 'old' })).toEqual(['vision', 'old']);
  });

  test('is the group that was chosen, also if it has no project', () => {
    expect(names({ groupId: 'language' })).toEqual(['language', 'corpus']);
    expect(names({ groupId: 'empty' })).toEqual(['empty', undefined]);
  });

  test('stays in the group after its project is deleted', () => {
    expect(names({ groupId: 'language', projectId: 'deleted' })).toEqual(['language', 'corpus']);
  });

  test('is nothing for a newcomer', () => {
    expect(choose([], [], {})).toEqual({ group: null, project: null });
  });
});

test('who has more rights comes first, and nobody is left out', () => {
  const groups = [group('a'), group('b', 'MEMBER'), group('c', 'ADMIN'), group('d', 'MANAGER')];
  const ordered = mostRightsFirst(groups, ({ viewerRole }) => viewerRole);
  expect(ordered.map(({ name }) => name)).toEqual(['c', 'd', 'b', 'a']);
});

test('roles are told in a few words', () => {
  const me = { id: 'user_1', username: 'maya', isPlatformAdmin: false };
  const as = (role: GroupRole, name: string) => ({ role, group: { id: name, name } });
  expect(rolesInWords({ ...me, roles: [] })).toBe('in no group yet');
  const two = [as('MEMBER', 'language'), as('MANAGER', 'vision')];
  expect(rolesInWords({ ...me, roles: two })).toBe('manager of vision, member of language');
  expect(rolesInWords({ ...me, isPlatformAdmin: true, roles: [...two, as('ADMIN', 'robotics')] })).toBe(
    'platform admin, admin of robotics and 2 more',
  );
});

const nothing = { nodes: [] };
const mineOf = (username: string) => ({
  registration: 'CLOSED',
  viewer: {
    id: `user_${username}`,
    username,
    platformRole: 'USER',
    memberships: nothing,
    sessions: nothing,
    apiTokens: nothing,
  },
  groups: { nodes: [group('vision', 'MEMBER')] },
  projects: nothing,
  requests: nothing,
  pvcs: nothing,
  users: nothing,
  notifications: { totalCount: 2 },
  access: [],
});

test('the group that is worked in is asked about, and no project if there is none', async () => {
  const asked: Operation[] = [];
  const viewer = new Viewer(
    (operation) => {
      asked.push(operation);
      return Promise.resolve({ data: operation.operationName === 'Mine' ? mineOf('ada') : { self: [] } });
    },
    () => Promise.resolve('token'),
  );
  await viewer.reload();
  expect(asked.at(-1)?.variables).toMatchObject({ group: 'vision', hasGroup: true, hasProject: false });
  expect(viewer.situation.get()).toMatchObject({ isLoaded: true, unread: 2, me: { username: 'ada' } });
});

test('an answer for somebody who has left is not shown to the next one', async () => {
  let answer: (name: string) => void = () => undefined;
  let token: string | null = 'of ada';
  const viewer = new Viewer(
    ({ operationName }) =>
      operationName === 'Mine'
        ? new Promise((done) => (answer = (name) => done({ data: mineOf(name) })))
        : Promise.resolve({ data: { registration: 'OPEN' } }),
    () => Promise.resolve(token),
  );
  const first = viewer.reload();
  await Promise.resolve();
  token = null;
  viewer.arrive();
  answer('ada');
  await first;
  expect(viewer.situation.get()).toMatchObject({ me: null, registration: 'OPEN' });
});

test('without an answer, what was known stays', async () => {
  let isDown = false;
  const viewer = new Viewer(
    ({ operationName }) =>
      isDown
        ? Promise.reject(new Error('down'))
        : Promise.resolve({ data: operationName === 'Mine' ? mineOf('ada') : {} }),
    () => Promise.resolve('token'),
  );
  await viewer.reload();
  isDown = true;
  await viewer.reload();
  expect(viewer.situation.get().me?.username).toBe('ada');
});
