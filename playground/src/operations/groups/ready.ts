// Ready operations for groups and their members.
import addMembers from './addMembers.graphql?raw';
import appointAdmin from './appointAdmin.graphql?raw';
import createGroup from './createGroup.graphql?raw';
import deleteGroup from './deleteGroup.graphql?raw';
import leaveGroup from './leaveGroup.graphql?raw';
import listGroups from './listGroups.graphql?raw';
import removeMember from './removeMember.graphql?raw';
import setRole from './setRole.graphql?raw';
import updateGroup from './updateGroup.graphql?raw';
import { LOGGED_IN, may, PLACEHOLDER, picking, type Template } from '../template';

const topic = 'Groups' as const;
const groupId = PLACEHOLDER.groupId;
const membershipId = PLACEHOLDER.membershipId;
const ofGroup = { groupId: ['input', 'groupId'] };
const ofMember = { membershipId: ['input', 'membershipId'] };

export const groups: Template[] = [
  {
    ...LOGGED_IN,
    name: 'ListGroups',
    topic,
    title: 'List',
    hint: 'Run this tab to see your groups, their members and what you can do in each.',
    query: listGroups,
    variables: { search: null },
  },
  {
    name: 'CreateGroup',
    topic,
    title: 'Create',
    hint: 'Name the group, and run this tab. It can then be chosen above.',
    query: createGroup,
    variables: { input: { name: 'robotics', description: 'Arms that grasp things.' } },
    fills: { typed: ['input', 'name'] },
    asks: { label: 'Name' },
    need: may('CREATE_GROUP', 'platform'),
  },
  {
    name: 'UpdateGroup',
    topic,
    title: 'Describe',
    hint: 'Run this tab to describe the group chosen above.',
    query: updateGroup,
    variables: { input: { groupId, description: 'What the group works on.' } },
    fills: ofGroup,
    need: may('UPDATE_GROUP', 'group'),
  },
  {
    name: 'AddMembers',
    topic,
    title: 'Add members',
    hint: 'Type a username, and run this tab. Add more in the variables.',
    query: addMembers,
    variables: { input: { groupId, usernames: ['<a username>'], role: 'MEMBER' } },
    fills: { ...ofGroup, typed: ['input', 'usernames', 0] },
    asks: {
      label: 'Username',
      suggests: ({ people, members }) =>
        people
          .map(({ username }) => username)
          .filter((username) => members.every(({ user }) => user.username !== username)),
    },
    need: may('ADD_GROUP_MEMBERS', 'group'),
  },
  {
    name: 'SetRole',
    topic,
    title: 'Change role',
    hint: 'Choose a member, and run this tab to make them a manager.',
    query: setRole,
    variables: { input: { membershipId, role: 'MANAGER' } },
    fills: ofMember,
    need: may('SET_GROUP_ROLE', 'group'),
    picks: picking({
      kind: 'member',
      suits: (member) => member.viewerCanSetRole,
      none: 'The group has no member whose role you can change.',
    }),
  },
  {
    name: 'AppointAdmin',
    topic,
    title: 'Appoint admin',
    hint: 'Choose a member, and run this tab to make them an admin of the group.',
    query: appointAdmin,
    variables: { input: { membershipId, role: 'ADMIN' } },
    fills: ofMember,
    need: may('APPOINT_GROUP_ADMIN', 'group'),
    picks: picking({
      kind: 'member',
      suits: ({ role }) => role !== 'ADMIN',
      none: 'Everybody in the group is an admin already.',
    }),
  },
  {
    name: 'RemoveMember',
    topic,
    title: 'Remove',
    hint: 'Choose a member, and run this tab to remove them from the group.',
    query: removeMember,
    variables: { input: { membershipId } },
    fills: ofMember,
    need: may('REMOVE_GROUP_MEMBER', 'group'),
    picks: picking({
      kind: 'member',
      suits: ({ viewerCanRemove, user }, { me }) => viewerCanRemove && user.id !== me?.id,
      none: 'The group has no member whom you can remove.',
    }),
  },
  {
    name: 'LeaveGroup',
    topic,
    title: 'Leave',
    hint: 'Run this tab to leave the group chosen above.',
    query: leaveGroup,
    variables: { input: { groupId } },
    fills: ofGroup,
    need: may('LEAVE_GROUP', 'group'),
    unfit: ({ group }) => (group?.viewerRole === null ? `You are not a member of ${group.name}.` : null),
  },
  {
    name: 'DeleteGroup',
    topic,
    title: 'Delete',
    hint: 'Type the name of the group to confirm, and run this tab. It cannot be undone.',
    query: deleteGroup,
    variables: { input: { groupId, confirmName: '' } },
    fills: { ...ofGroup, typed: ['input', 'confirmName'] },
    asks: { label: 'Name' },
    need: may('DELETE_GROUP', 'group'),
    unfit: ({ group, projects }) =>
      projects.some((project) => project.group.id === group?.id)
        ? `${group?.name ?? 'The group'} still has projects: delete them first.`
        : null,
  },
];
