// Ready operations for the viewer's notifications.
import chooseNotifications from './chooseNotifications.graphql?raw';
import followNotifications from './followNotifications.graphql?raw';
import listNotifications from './listNotifications.graphql?raw';
import markRead from './markRead.graphql?raw';
import removeWebhook from './removeWebhook.graphql?raw';
import setWebhook from './setWebhook.graphql?raw';
import testWebhook from './testWebhook.graphql?raw';
import { LOGGED_IN, may, type Template } from '../template';

const topic = 'Notifications' as const;

export const notifications: Template[] = [
  {
    ...LOGGED_IN,
    name: 'ListNotifications',
    topic,
    title: 'List',
    hint: 'Run this tab to see what happened to your jobs, requests and roles.',
    query: listNotifications,
    variables: {},
  },
  {
    ...LOGGED_IN,
    name: 'FollowNotifications',
    topic,
    title: 'Follow',
    hint: 'Run this tab to see new notifications the moment they are made. They appear below.',
    query: followNotifications,
    variables: { after: null },
  },
  {
    ...LOGGED_IN,
    name: 'MarkRead',
    topic,
    title: 'Mark all read',
    hint: 'Run this tab to mark all of your notifications as read.',
    query: markRead,
    variables: { input: {} },
  },
  {
    name: 'ChooseNotifications',
    topic,
    title: 'Choose',
    hint: 'Run this tab to choose what you are notified of.',
    query: chooseNotifications,
    variables: {
      input: {
        notifications: { jobEnded: true, quotaNearlyUsed: true, requestAnswered: true, roleChanged: true },
      },
    },
    fills: {},
    need: may('UPDATE_USER_SETTINGS', 'self'),
  },
  {
    name: 'SetWebhook',
    topic,
    title: 'Webhook',
    hint: 'Type a URL, and run this tab to have your notifications sent to it. The operator decides which hosts are allowed.',
    query: setWebhook,
    variables: { input: { url: 'https://hooks.example.com/mine' } },
    fills: { typed: ['input', 'url'] },
    asks: { label: 'URL' },
    need: may('SET_WEBHOOK', 'self'),
  },
  {
    name: 'TestWebhook',
    topic,
    title: 'Test webhook',
    hint: 'Run this tab to send a notification to the URL. Run it again to see whether it arrived.',
    query: testWebhook,
    variables: { input: {} },
    fills: {},
    need: may('TEST_WEBHOOK', 'self'),
  },
  {
    name: 'RemoveWebhook',
    topic,
    title: 'Remove webhook',
    hint: 'Run this tab to have nothing sent any more.',
    query: removeWebhook,
    variables: { input: {} },
    fills: {},
    need: may('REMOVE_WEBHOOK', 'self'),
  },
];
