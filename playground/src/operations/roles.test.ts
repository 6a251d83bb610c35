// Which ready operations are for whom: the server's policy decides, and the page says why.
import { expect, test } from 'vitest';
import { NOBODY, type Decision, type Situation } from '../viewer/situation';
import { factsFor } from './fill';
import { isTopicLocked, lockOf } from './lock';
import { choicesFor, chosenFor } from './picks';
import { TOPICS } from './template';
import { templates } from './templates';

const ready = templates(undefined);
const template = (name: string) => {
  const found = ready.find((each) => each.name === name);
  if (!found) throw new Error(`there is no tab ${name}`);
  return found;
};

const NOTHING = { picked: {}, typed: {} };
const MANAGER_RULE = 'Managers and admins of the group, and platform admins, can do this.';
const ADMIN_RULE = 'Admins of the group and platform admins can do this.';
const PLATFORM_RULE = 'Platform admins can do this.';

/** The least role of each action, as the policy of the server has it. */
const LEAST: Record<string, ['MEMBER' | 'MANAGER' | 'ADMIN' | 'PLATFORM', string]> = {
  CREATE_GROUP: ['PLATFORM', PLATFORM_RULE],
  CREATE_USER: ['PLATFORM', PLATFORM_RULE],
  SET_PLATFORM_ROLE: ['PLATFORM', PLATFORM_RULE],
  ENABLE_USER: ['PLATFORM', PLATFORM_RULE],
  DISABLE_USER: ['PLATFORM', PLATFORM_RULE],
  DELETE_USER: ['PLATFORM', PLATFORM_RULE],
  CREATE_PASSWORD_RESET: ['PLATFORM', PLATFORM_RULE],
  APPOINT_GROUP_ADMIN: ['PLATFORM', PLATFORM_RULE],
  DELETE_GROUP: ['PLATFORM', PLATFORM_RULE],
  SET_GPU_LIMIT: ['PLATFORM', PLATFORM_RULE],
  EXPORT_AUDIT: ['PLATFORM', PLATFORM_RULE],
  VIEW_AUDIT_EXPORT: ['PLATFORM', PLATFORM_RULE],
  UPDATE_GROUP: ['ADMIN', ADMIN_RULE],
  ADD_GROUP_MEMBERS: ['ADMIN', ADMIN_RULE],
  SET_GROUP_ROLE: ['ADMIN', ADMIN_RULE],
  REMOVE_GROUP_MEMBER: ['ADMIN', ADMIN_RULE],
  VIEW_AUDIT_ENTRY: ['ADMIN', ADMIN_RULE],
  VIEW_ACCESS: ['ADMIN', ADMIN_RULE],
  DELETE_PROJECT: ['ADMIN', ADMIN_RULE],
  CREATE_PROJECT: ['MANAGER', MANAGER_RULE],
  UPDATE_PROJECT: ['MANAGER', MANAGER_RULE],
  SET_PROJECT_LIMITS: ['MANAGER', MANAGER_RULE],
  SET_PROJECT_SCHEDULE: ['MANAGER', MANAGER_RULE],
  ARCHIVE_PROJECT: ['MANAGER', MANAGER_RULE],
  RESTORE_PROJECT: ['MANAGER', MANAGER_RULE],
  CREATE_CONFIG_FILE: ['MANAGER', MANAGER_RULE],
  CREATE_PVC: ['MANAGER', MANAGER_RULE],
  BIND_PVC: ['MANAGER', MANAGER_RULE],
};
const ORDER = ['MEMBER', 'MANAGER', 'ADMIN', 'PLATFORM'];

type Role = 'MEMBER' | 'MANAGER' | 'ADMIN' | 'PLATFORM';

/** Somebody with this role in the group vision, which has one project and three members. */
function situationOf(role: Role): Situation {
  const inGroup = role === 'PLATFORM' ? null : role;
  const vision = { id: 'group_1', name: 'vision', viewerRole: inGroup };
  const detection = { id: 'project_1', name: 'detection', state: 'ACTIVE' as const, group: vision };
  const decisions: Decision[] = Object.entries(LEAST).map(([action, [least, rule]]) => ({
    action,
    allowed: ORDER.indexOf(role) >= ORDER.indexOf(least),
    rule,
  }));
  // A drive is everybody's own.
  const self = decisions.filter(({ action }) => action !== 'CREATE_PVC');
  const everywhere = { platform: decisions, self, group: decisions, project: decisions };
  const leads = role === 'ADMIN' || role === 'PLATFORM';
  const person = (name: string, state: string | null = null) => ({
    id: `user_${name}`,
    username: name,
    state,
    viewerCanEnable: role === 'PLATFORM' && state === 'WAITING',
    viewerCanDisable: role === 'PLATFORM' && state === 'ACTIVE',
    viewerCanDelete: role === 'PLATFORM',
  });
  return {
    ...NOBODY,
    me: {
      id: 'user_me',
      username: 'me',
      isPlatformAdmin: role === 'PLATFORM',
      roles: inGroup ? [{ role: inGroup, group: vision }] : [],
    },
    isLoaded: true,
    registration: 'APPROVAL',
    groups: [vision],
    projects: [detection],
    group: vision,
    project: detection,
    access: everywhere,
    members: ['me', 'ada', 'ben'].map((name) => ({
      id: `membership_${name}`,
      role: 'MEMBER',
      user: { id: `user_${name}`, username: name },
      viewerCanSetRole: leads,
      viewerCanRemove: leads,
    })),
    people:
      role === 'PLATFORM'
        ? [person('nina', 'WAITING'), person('ada', 'ACTIVE'), person('me', 'ACTIVE')]
        : [person('ada'), person('me')],
  };
}

const NEWCOMER: Situation = {
  ...NOBODY,
  me: { id: 'user_nina', username: 'nina', isPlatformAdmin: false, roles: [] },
  isLoaded: true,
  access: { ...situationOf('MEMBER').access, group: [], project: [] },
};

/** The steps that are open to somebody, topic by topic. */
const open = (situation: Situation): string =>
  TOPICS.map((topic) => {
    const steps = ready.filter((each) => each.topic === topic && lockOf(each, situation)?.kind !== 'refused');
    return `${topic}: ${steps.map(({ title }) => title).join(', ') || '-'}`;
  }).join('\n');

test('somebody who is not logged in registers, logs in or sets a password', () => {
  expect(open({ ...NOBODY, registration: 'APPROVAL' })).toMatchInlineSnapshot(`
    "Jobs: Log in
    Requests: -
    Notifications: -
    Projects: -
    Storage: -
    Groups: -
    People: -
    Audit log: -
    Access: -
    Account: Register, Set password"
  `);
});

test('a newcomer has their account, and asks for the rest', () => {
  expect(open(NEWCOMER)).toMatchInlineSnapshot(`
    "Jobs: Log in, Watch, Cancel, Follow logs, Browse
    Requests: List, Ask for a role, Ask a question, Follow, Reply, Take, Resolve, Reject
    Notifications: List, Follow, Mark all read, Choose, Webhook, Test webhook, Remove webhook
    Projects: List
    Storage: List, My drive, Follow, Open files, My open files, Close files, Resize, Permissions, Remove share, Classes, Delete
    Groups: List
    People: List
    Audit log: -
    Access: -
    Account: Register, Set password, My account, My name, My sessions, End session, My API tokens, Create token, Revoke token, Change password, Log out everywhere"
  `);
});

test('a member runs jobs and asks for more', () => {
  expect(open(situationOf('MEMBER'))).toMatchInlineSnapshot(`
    "Jobs: Log in, Submit, Watch, Cancel, Follow logs, Browse, Submit commit
    Requests: List, Ask for limits, Ask for a role, Ask a question, Follow, Reply, Take, Resolve, Reject
    Notifications: List, Follow, Mark all read, Choose, Webhook, Test webhook, Remove webhook
    Projects: List, Usage, Preview deletion
    Storage: List, My drive, Follow, Open files, My open files, Close files, Resize, Permissions, Remove share, Classes, Delete
    Groups: List, Leave
    People: List
    Audit log: -
    Access: What I may do
    Account: Register, Set password, My account, My name, My sessions, End session, My API tokens, Create token, Revoke token, Change password, Log out everywhere"
  `);
});

test('a manager also runs projects', () => {
  expect(open(situationOf('MANAGER'))).toMatchInlineSnapshot(`
    "Jobs: Log in, Submit, Watch, Cancel, Follow logs, Browse, Config file, Submit commit
    Requests: List, Ask for limits, Ask for a role, Ask a question, Follow, Reply, Take, Resolve, Reject
    Notifications: List, Follow, Mark all read, Choose, Webhook, Test webhook, Remove webhook
    Projects: List, Create, Describe, Limits, Schedule, Usage, Archive, Restore, Preview deletion
    Storage: List, My drive, Create, Follow, Open files, My open files, Close files, Resize, Permissions, Share, Remove share, Classes, Delete
    Groups: List, Leave
    People: List
    Audit log: -
    Access: What I may do
    Account: Register, Set password, My account, My name, My sessions, End session, My API tokens, Create token, Revoke token, Change password, Log out everywhere"
  `);
});

test('a group admin also runs the group, and sees its audit log', () => {
  expect(open(situationOf('ADMIN'))).toMatchInlineSnapshot(`
    "Jobs: Log in, Submit, Watch, Cancel, Follow logs, Browse, Config file, Submit commit
    Requests: List, Ask for limits, Ask for a role, Ask a question, Follow, Reply, Take, Resolve, Reject
    Notifications: List, Follow, Mark all read, Choose, Webhook, Test webhook, Remove webhook
    Projects: List, Create, Describe, Limits, Schedule, Usage, Archive, Restore, Preview deletion, Delete
    Storage: List, My drive, Create, Follow, Open files, My open files, Close files, Resize, Permissions, Share, Remove share, Classes, Delete
    Groups: List, Describe, Add members, Change role, Remove, Leave
    People: List
    Audit log: Latest, Of the group, Refused, Follow
    Access: What I may do, What others may do, Who may do it
    Account: Register, Set password, My account, My name, My sessions, End session, My API tokens, Create token, Revoke token, Change password, Log out everywhere"
  `);
});

test('a platform admin can do everything', () => {
  const refused = ready.filter((each) => lockOf(each, situationOf('PLATFORM'))?.kind === 'refused');
  expect(refused.map(({ name }) => name)).toEqual([]);
});

test('a locked step says who can do it, and who the viewer is', () => {
  expect(lockOf(template('AddMembers'), situationOf('MANAGER'))).toEqual({
    kind: 'refused',
    reason: `${ADMIN_RULE} You are a manager of vision.`,
  });
  expect(lockOf(template('SetGpuLimit'), situationOf('ADMIN'))?.reason).toBe(
    `${PLATFORM_RULE} You are an admin of vision.`,
  );
  expect(lockOf(template('CreateGroup'), situationOf('ADMIN'))?.reason).toBe(PLATFORM_RULE);
  expect(lockOf(template('CreateProject'), NOBODY)?.reason).toBe('Log in first.');
});

test('a topic is locked if nothing of it is for the viewer', () => {
  const locked = (situation: Situation) => TOPICS.filter((topic) => isTopicLocked(ready, topic, situation));
  expect(locked(situationOf('MANAGER'))).toEqual(['Audit log']);
  expect(locked(situationOf('ADMIN'))).toEqual([]);
});

test('nothing is locked before the server has said what is allowed', () => {
  const loading = { ...situationOf('MEMBER'), isLoaded: false };
  expect(ready.filter((each) => lockOf(each, loading) !== null)).toEqual([]);
});

test('what is allowed but pointless says why, and can be opened', () => {
  const member = situationOf('MANAGER');
  expect(lockOf(template('RestoreProject'), member)).toEqual({
    kind: 'unfit',
    reason: 'detection is not archived.',
  });
  expect(lockOf(template('ResolveRequest'), member)).toEqual({
    kind: 'unfit',
    reason: 'No open request waits for your decision.',
  });
  expect(lockOf(template('Register'), { ...NOBODY, registration: 'CLOSED' })).toEqual({
    kind: 'unfit',
    reason: 'On this server, only platform admins create accounts.',
  });
});

test('a manager without a project is told to create one', () => {
  const empty = { ...situationOf('MANAGER'), projects: [], project: null };
  expect(lockOf(template('SetProjectLimits'), empty)?.kind).toBe('unfit');
  expect(lockOf(template('CreateProject'), empty)).toBeNull();
});

test('a platform admin reads the audit log also of a platform without groups', () => {
  const empty = { ...situationOf('PLATFORM'), groups: [], projects: [], group: null, project: null };
  expect(lockOf(template('AuditLog'), empty)).toBeNull();
  expect(lockOf(template('AuditGroup'), empty)?.reason).toBe(
    'There is no group yet: create one under Groups.',
  );
});

test('the first whom an operation suits is filled in', () => {
  const admin = situationOf('PLATFORM');
  expect(factsFor(template('ApprovePerson'), admin, {}, NOTHING).userId).toBe('user_nina');
  expect(factsFor(template('DisablePerson'), admin, {}, NOTHING).userId).toBe('user_ada');
  expect(factsFor(template('RemoveMember'), admin, {}, NOTHING).membershipId).toBe('membership_ada');
});

test('what is typed beside the tab is filled into it, and into no other', () => {
  const entered = { picked: {}, typed: { AddMembers: 'nina' } };
  expect(factsFor(template('AddMembers'), situationOf('ADMIN'), {}, entered).typed).toBe('nina');
  expect(factsFor(template('CreateGroup'), situationOf('ADMIN'), {}, entered).typed).toBeUndefined();
});

test('people who are not in the group yet are suggested', () => {
  const suggested = template('AddMembers').asks?.suggests?.(situationOf('PLATFORM'));
  expect(suggested).toEqual(['nina']);
});

test('what was picked stays, and nobody takes its place once it is gone', () => {
  const admin = situationOf('PLATFORM');
  const picked = { RemoveMember: 'membership_ben' };
  expect(chosenFor(template('RemoveMember'), admin, picked)?.id).toBe('membership_ben');
  const without = { ...admin, members: admin.members.filter(({ id }) => id !== 'membership_ben') };
  expect(chosenFor(template('RemoveMember'), without, picked)).toBeUndefined();
});

test('a claim is offered to whom it is open for, and only for what fits it', () => {
  const claim = {
    user: null,
    group: null,
    project: null,
    sharedFrom: null,
    viewerAccess: 'WRITE' as const,
    viewerCanResize: true,
    viewerCanSetPermissions: true,
    viewerCanDelete: true,
  };
  const vision = { name: 'vision' };
  const detection = { name: 'detection' };
  const situation: Situation = {
    ...situationOf('MANAGER'),
    claims: [
      { ...claim, id: 'pvc_1', name: 'datasets', project: detection },
      { ...claim, id: 'pvc_2', name: 'models', group: vision },
      { ...claim, id: 'pvc_3', name: 'shown', project: detection, sharedFrom: { id: 'pvc_2' } },
      { ...claim, id: 'pvc_4', name: 'drive', user: { username: 'me' }, viewerCanResize: false },
    ],
  };
  const offered = (name: string) => {
    const { picks } = template(name);
    return picks ? choicesFor(picks, situation).map(({ label }) => label) : [];
  };
  expect(offered('ResizeClaim')).toEqual(['datasets (detection)', 'models (vision)', 'shown (detection)']);
  expect(offered('ShareClaim')).toEqual(['models (vision)', 'drive (drive of me)']);
  expect(offered('RemoveShare')).toEqual(['shown (detection)']);
  expect(offered('DeleteClaim')).toEqual(['datasets (detection)', 'models (vision)', 'drive (drive of me)']);
});
