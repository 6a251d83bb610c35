// Ready operations for requests: ask for something, talk about it, decide.
import askForLimits from './askForLimits.graphql?raw';
import askForRole from './askForRole.graphql?raw';
import askQuestion from './askQuestion.graphql?raw';
import followRequests from './followRequests.graphql?raw';
import listRequests from './listRequests.graphql?raw';
import rejectRequest from './rejectRequest.graphql?raw';
import replyToRequest from './replyToRequest.graphql?raw';
import resolveRequest from './resolveRequest.graphql?raw';
import takeRequest from './takeRequest.graphql?raw';
import { LOGGED_IN, may, PLACEHOLDER, picking, type Template } from '../template';

const topic = 'Requests' as const;
const OPEN_STATES = new Set(['OPEN', 'IN_PROGRESS']);

const toDecide = picking({
  kind: 'request',
  suits: (request) => request.viewerCanResolve,
  none: 'No open request waits for your decision.',
});

export const requests: Template[] = [
  {
    ...LOGGED_IN,
    name: 'ListRequests',
    topic,
    title: 'List',
    hint: 'Run this tab to see your requests, and those that you decide on.',
    query: listRequests,
    variables: { filter: { statuses: ['OPEN', 'IN_PROGRESS'] } },
  },
  {
    name: 'AskForLimits',
    topic,
    title: 'Ask for limits',
    hint: 'Run this tab to ask for more CPUs, memory and jobs for the project chosen above.',
    query: askForLimits,
    variables: {
      input: {
        tag: 'RESOURCE',
        projectId: PLACEHOLDER.projectId,
        title: 'More CPUs for the project',
        text: 'We train on more pictures next week.',
        wantedLimits: { cpu: '32', memory: '128Gi', concurrentJobs: 20 },
      },
    },
    fills: { projectId: ['input', 'projectId'] },
    need: may('SUBMIT_JOB', 'project'),
  },
  {
    ...LOGGED_IN,
    name: 'AskForRole',
    topic,
    title: 'Ask for a role',
    hint: 'Run this tab to ask for a role in the group chosen above, or in one whose ID you type.',
    query: askForRole,
    variables: {
      input: {
        tag: 'ACCESS',
        groupId: PLACEHOLDER.groupId,
        title: 'A role in the group',
        text: 'I take over the projects of the group.',
        wantedRole: 'MANAGER',
      },
    },
    fills: { groupId: ['input', 'groupId'], typed: ['input', 'groupId'] },
    asks: { label: 'Group ID' },
  },
  {
    ...LOGGED_IN,
    name: 'AskQuestion',
    topic,
    title: 'Ask a question',
    hint: 'Run this tab to ask the admins of the platform.',
    query: askQuestion,
    variables: {
      input: {
        tag: 'QUESTION',
        title: 'Which group do I belong to?',
        text: 'I am new here and work on vision.',
      },
    },
  },
  {
    ...LOGGED_IN,
    name: 'FollowRequests',
    topic,
    title: 'Follow',
    hint: 'Run this tab to see replies and decisions the moment they are made. They appear below.',
    query: followRequests,
    variables: { filter: {}, after: null },
  },
  {
    ...LOGGED_IN,
    name: 'ReplyToRequest',
    topic,
    title: 'Reply',
    hint: 'Choose a request, and run this tab to write a message in it.',
    query: replyToRequest,
    variables: { input: { id: PLACEHOLDER.requestId, text: 'Thank you. When do you need it?' } },
    fills: { requestId: ['input', 'id'], typed: ['input', 'text'] },
    asks: { label: 'Message' },
    picks: picking({
      kind: 'request',
      suits: ({ status }) => OPEN_STATES.has(status),
      none: 'There is no open request.',
    }),
  },
  {
    ...LOGGED_IN,
    name: 'TakeRequest',
    topic,
    title: 'Take',
    hint: 'Run this tab to tell the author that you are working on the request.',
    query: takeRequest,
    variables: { input: { id: PLACEHOLDER.requestId, status: 'IN_PROGRESS', text: 'I am looking into it.' } },
    fills: { requestId: ['input', 'id'] },
    picks: picking({
      kind: 'request',
      suits: (request) => request.viewerCanResolve && request.status === 'OPEN',
      none: 'No open request waits for your decision.',
    }),
  },
  {
    ...LOGGED_IN,
    name: 'ResolveRequest',
    topic,
    title: 'Resolve',
    hint: 'Run this tab to resolve the request. What it asks for is granted at once.',
    query: resolveRequest,
    variables: { input: { id: PLACEHOLDER.requestId, status: 'RESOLVED', text: 'Done.' } },
    fills: { requestId: ['input', 'id'] },
    picks: toDecide,
  },
  {
    ...LOGGED_IN,
    name: 'RejectRequest',
    topic,
    title: 'Reject',
    hint: 'Run this tab to reject the request. The text tells the author why.',
    query: rejectRequest,
    variables: { input: { id: PLACEHOLDER.requestId, status: 'REJECTED', text: 'Not this month.' } },
    fills: { requestId: ['input', 'id'] },
    picks: toDecide,
  },
];
