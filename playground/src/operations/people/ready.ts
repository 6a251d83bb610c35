// Ready operations for the accounts of others: a platform admin's work.
import approvePerson from './approvePerson.graphql?raw';
import createPerson from './createPerson.graphql?raw';
import deletePerson from './deletePerson.graphql?raw';
import disablePerson from './disablePerson.graphql?raw';
import endSession from './endSession.graphql?raw';
import listPeople from './listPeople.graphql?raw';
import listSessions from './listSessions.graphql?raw';
import sendPasswordLink from './sendPasswordLink.graphql?raw';
import setPlatformRole from './setPlatformRole.graphql?raw';
import { LOGGED_IN, may, PLACEHOLDER, picking, type Template } from '../template';

const topic = 'People' as const;
const id = PLACEHOLDER.userId;
const ofInput = { userId: ['input', 'id'] };

const somebodyElse = picking({
  kind: 'person',
  suits: (person, { me }) => person.id !== me?.id,
  none: 'There is nobody else on the platform.',
});

export const people: Template[] = [
  {
    ...LOGGED_IN,
    name: 'ListPeople',
    topic,
    title: 'List',
    hint: 'Run this tab to see the people you share a group with; platform admins see everybody.',
    query: listPeople,
    variables: { filter: {} },
  },
  {
    name: 'ApprovePerson',
    topic,
    title: 'Approve',
    hint: 'Run this tab to let in who has registered, or to enable a disabled account.',
    query: approvePerson,
    variables: { input: { id } },
    fills: ofInput,
    need: may('ENABLE_USER', 'self'),
    picks: picking({
      kind: 'person',
      suits: (person) => person.viewerCanEnable,
      none: 'Nobody waits for approval, and no account is disabled.',
    }),
  },
  {
    name: 'CreatePerson',
    topic,
    title: 'Create',
    hint: 'Type a username, and run this tab. The user sets a password with the token in the answer.',
    query: createPerson,
    variables: { input: { username: 'grace' } },
    fills: { typed: ['input', 'username'] },
    asks: { label: 'Username' },
    need: may('CREATE_USER', 'platform'),
  },
  {
    name: 'SendPasswordLink',
    topic,
    title: 'Reset password',
    hint: 'Run this tab for somebody who has forgotten their password, and send them the token.',
    query: sendPasswordLink,
    variables: { input: { userId: id } },
    fills: { userId: ['input', 'userId'] },
    need: may('CREATE_PASSWORD_RESET', 'self'),
    picks: somebodyElse,
  },
  {
    name: 'ListSessions',
    topic,
    title: 'Sessions',
    hint: 'Run this tab to see where somebody is logged in. The next step ends a session.',
    query: listSessions,
    variables: { userId: id },
    fills: { userId: ['userId'] },
    need: may('DISABLE_USER', 'self'),
    picks: somebodyElse,
  },
  {
    name: 'EndSession',
    topic,
    title: 'End session',
    hint: 'List the sessions of somebody before: the first one is filled in here.',
    query: endSession,
    variables: { input: { id: PLACEHOLDER.sessionId } },
    fills: { sessionId: ['input', 'id'] },
    need: may('DISABLE_USER', 'self'),
  },
  {
    name: 'SetPlatformRole',
    topic,
    title: 'Platform role',
    hint: 'Choose somebody, and run this tab to make them a platform admin.',
    query: setPlatformRole,
    variables: { input: { id, platformRole: 'ADMIN' } },
    fills: ofInput,
    need: may('SET_PLATFORM_ROLE', 'platform'),
    picks: somebodyElse,
  },
  {
    name: 'DisablePerson',
    topic,
    title: 'Disable',
    hint: 'Choose somebody, and run this tab to end their sessions and keep them out.',
    query: disablePerson,
    variables: { input: { id } },
    fills: ofInput,
    need: may('DISABLE_USER', 'self'),
    picks: picking({
      kind: 'person',
      suits: (person, { me }) => person.viewerCanDisable && person.id !== me?.id,
      none: 'There is nobody to disable.',
    }),
  },
  {
    name: 'DeletePerson',
    topic,
    title: 'Delete',
    hint: 'Type the username to confirm, and run this tab. It cannot be undone.',
    query: deletePerson,
    variables: { input: { id, username: '' } },
    fills: { ...ofInput, typed: ['input', 'username'] },
    asks: { label: 'Username' },
    need: may('DELETE_USER', 'self'),
    picks: picking({
      kind: 'person',
      suits: (person, { me }) => person.viewerCanDelete && person.id !== me?.id,
      none: 'There is nobody to delete.',
    }),
  },
];
