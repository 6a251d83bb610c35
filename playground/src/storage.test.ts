// Passwords and one-time tokens do not stay in the browser; everything else of the tabs does.
import { expect, test } from 'vitest';
import { publishedIn, withoutSecrets } from './storage';

function kept(text: string, published: readonly string[] = []): string | undefined {
  const written = new Map<string, string>();
  const storage = { setItem: (key: string, value: string) => void written.set(key, value), length: 7 };
  const wrapped = withoutSecrets(storage, published);
  wrapped.setItem('graphiql:tabState', text);
  expect(wrapped.length).toBe(7);
  return written.get('graphiql:tabState');
}

test('a password in the variables of a tab is not kept', () => {
  const variables = JSON.stringify({ input: { username: 'nina', password: 'a "secret" of mine' } });
  const tab = { title: 'Register', query: 'mutation Register { password }', variables };
  const text = kept(JSON.stringify({ tabs: [tab], activeTabIndex: 0 })) ?? '';
  expect(text).not.toContain('secret');
  expect(text).toContain('nina');
  expect(text).toContain('mutation Register { password }');
});

test('neither is a one-time token in the history', () => {
  const variables = '{"input": {"token": "once", "newPassword": "new"}}';
  const text = kept(JSON.stringify({ queries: [{ query: 'mutation M { m }', variables }] })) ?? '';
  expect(text).not.toMatch(/once|"new\\?"/);
});

test('nor one that is being typed', () => {
  expect(kept('{"input": {"password": "half of it')).toBe('');
  expect(kept('{"input": {"name": "half of it')).toBe('{"input": {"name": "half of it');
});

test('what the page fills in itself is kept, and so is what holds no secret, to the letter', () => {
  const demo = '{ "input": { "username": "mia", "password": "mia-demo" } }';
  expect(publishedIn(JSON.parse(demo))).toEqual(['mia-demo']);
  expect(kept(demo, ['mia-demo'])).toBe(demo);
  expect(kept('query Q { q }')).toBe('query Q { q }');
  expect(kept('{ "filter": {} }')).toBe('{ "filter": {} }');
});
