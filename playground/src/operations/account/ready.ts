// Ready operations for one's own account, with and without a login.
import changePassword from './changePassword.graphql?raw';
import createApiToken from './createApiToken.graphql?raw';
import endMySession from './endMySession.graphql?raw';
import logOutEverywhere from './logOutEverywhere.graphql?raw';
import me from './me.graphql?raw';
import myApiTokens from './myApiTokens.graphql?raw';
import mySessions from './mySessions.graphql?raw';
import register from './register.graphql?raw';
import revokeApiToken from './revokeApiToken.graphql?raw';
import setPassword from './setPassword.graphql?raw';
import updateMe from './updateMe.graphql?raw';
import { LOGGED_IN, may, PLACEHOLDER, picking, type Template } from '../template';

const topic = 'Account' as const;

export const account: Template[] = [
  {
    name: 'Register',
    topic,
    title: 'Register',
    hint: 'Type a username, choose a password in the variables, and run this tab.',
    query: register,
    variables: { input: { username: 'nina', password: 'a garden of 7 owls' } },
    fills: { typed: ['input', 'username'] },
    asks: { label: 'Username' },
    need: 'nothing',
    unfit: ({ registration }) =>
      registration === 'CLOSED' ? 'On this server, only platform admins create accounts.' : null,
  },
  {
    name: 'SetPassword',
    topic,
    title: 'Set password',
    hint: 'Run this tab with the token of a one-time link to set a password.',
    query: setPassword,
    variables: { input: { token: PLACEHOLDER.passwordToken, newPassword: 'a garden of 7 owls' } },
    fills: { passwordToken: ['input', 'token'] },
    need: 'nothing',
  },
  {
    ...LOGGED_IN,
    name: 'Me',
    topic,
    title: 'My account',
    hint: 'Run this tab to see your account, your groups and your settings.',
    query: me,
    variables: {},
  },
  {
    name: 'UpdateMe',
    topic,
    title: 'My name',
    hint: 'Type your name, and run this tab to change how others see you.',
    query: updateMe,
    variables: { input: { id: PLACEHOLDER.myId, displayName: '' } },
    fills: { myId: ['input', 'id'], typed: ['input', 'displayName'] },
    asks: { label: 'Name' },
    need: may('UPDATE_USER', 'self'),
  },
  {
    ...LOGGED_IN,
    name: 'MySessions',
    topic,
    title: 'My sessions',
    hint: 'Run this tab to see where you are logged in.',
    query: mySessions,
    variables: {},
  },
  {
    ...LOGGED_IN,
    name: 'EndMySession',
    topic,
    title: 'End session',
    hint: 'Choose a session, and run this tab to log that device out.',
    query: endMySession,
    variables: { input: { id: PLACEHOLDER.sessionId } },
    fills: { sessionId: ['input', 'id'] },
    picks: picking({
      kind: 'session',
      suits: ({ isCurrent }) => !isCurrent,
      none: 'You are logged in here only.',
    }),
  },
  {
    ...LOGGED_IN,
    name: 'MyApiTokens',
    topic,
    title: 'My API tokens',
    hint: 'Run this tab to see the tokens with which scripts call the API as you.',
    query: myApiTokens,
    variables: {},
  },
  {
    name: 'CreateApiToken',
    topic,
    title: 'Create token',
    hint: 'Name the token, and run this tab. Copy the secret from the answer: it is not shown again.',
    query: createApiToken,
    variables: { input: { name: 'laptop', scope: 'READ', expiresInDays: 30 } },
    fills: { typed: ['input', 'name'] },
    asks: { label: 'Name' },
    need: may('CREATE_API_TOKEN', 'self'),
  },
  {
    name: 'RevokeApiToken',
    topic,
    title: 'Revoke token',
    hint: 'Choose a token, and run this tab: no script can use it any more.',
    query: revokeApiToken,
    variables: { input: { id: PLACEHOLDER.apiTokenId } },
    fills: { apiTokenId: ['input', 'id'] },
    need: may('REVOKE_API_TOKEN', 'self'),
    picks: picking({ kind: 'apiToken', none: 'You have no API token.' }),
  },
  {
    name: 'ChangePassword',
    topic,
    title: 'Change password',
    hint: 'Write both passwords into the variables, then run this tab.',
    query: changePassword,
    variables: { input: { currentPassword: 'your current password', newPassword: 'a garden of 8 owls' } },
    fills: {},
    need: may('CHANGE_PASSWORD', 'self'),
  },
  {
    name: 'LogOutEverywhere',
    topic,
    title: 'Log out everywhere',
    hint: 'Run this tab to end all of your sessions, this one as well.',
    query: logOutEverywhere,
    variables: {},
    fills: {},
    need: may('LOGOUT_EVERYWHERE', 'self'),
  },
];
