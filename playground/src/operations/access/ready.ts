// Ready operations for permissions: who may do what, and why.
import accessOf from './accessOf.graphql?raw';
import myAccess from './myAccess.graphql?raw';
import whoCan from './whoCan.graphql?raw';
import { may, PLACEHOLDER, picking, type Template } from '../template';

const topic = 'Access' as const;

export const access: Template[] = [
  {
    name: 'MyAccess',
    topic,
    title: 'What I may do',
    hint: 'Run this tab to see each action, and the rule that allows it or not.',
    query: myAccess,
    variables: { group: PLACEHOLDER.groupId, project: PLACEHOLDER.projectId },
    fills: { groupId: ['group'], projectId: ['project'] },
    need: may('VIEW_PROJECT', 'project'),
  },
  {
    name: 'AccessOf',
    topic,
    title: 'What others may do',
    hint: 'Choose a member, and run this tab to see what they may do in the group.',
    query: accessOf,
    variables: { userId: PLACEHOLDER.userId, on: PLACEHOLDER.groupId },
    fills: { userId: ['userId'], groupId: ['on'] },
    need: may('VIEW_ACCESS', 'group'),
    picks: picking({ kind: 'member', none: 'The group has no members yet.' }),
  },
  {
    name: 'WhoCan',
    topic,
    title: 'Who may do it',
    hint: 'Run this tab to see who may create projects in the group, and why.',
    query: whoCan,
    variables: { action: 'CREATE_PROJECT', on: PLACEHOLDER.groupId },
    fills: { groupId: ['on'] },
    need: may('VIEW_ACCESS', 'group'),
  },
];
