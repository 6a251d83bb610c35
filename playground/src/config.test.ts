// What the page does with the server's description of itself, or without it.
import { expect, test } from 'vitest';
import { readConfig, socketUrl, suggestedUser } from './config';

test('a server that says nothing is served with the defaults', () => {
  expect(readConfig(null)).toEqual({
    demoUsers: [],
    signInProviders: [],
    endpoint: '/graphql',
    websocket: '/graphql',
  });
});

test('the socket has the address of the endpoint unless the server says otherwise', () => {
  expect(readConfig({ endpoint: '/api' }).websocket).toBe('/api');
  expect(readConfig({ endpoint: '/api', websocket: '/ws' }).websocket).toBe('/ws');
});

test('the socket is as secure as the page', () => {
  expect(socketUrl('/graphql', 'https://api.example.org/x')).toBe('wss://api.example.org/graphql');
  expect(socketUrl('/graphql', 'http://localhost:8080/')).toBe('ws://localhost:8080/graphql');
});

test('a manager is suggested, then a member, and an administrator last', () => {
  const admin = { username: 'root', role: 'ADMIN', password: 'x' };
  const manager = { username: 'max', role: 'MANAGER', password: 'x' };
  const member = { username: 'mia', role: 'MEMBER', password: 'x' };
  expect(suggestedUser([admin, member, manager])).toBe(manager);
  expect(suggestedUser([admin, member])).toBe(member);
  expect(suggestedUser([admin])).toBe(admin);
});
