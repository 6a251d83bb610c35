// The 61 server audits of the npm package `graphql-http`, each a test, against a running server.
//
//   URL=http://localhost:8080/graphql npm run audit:http
//
// The server refuses a GET that a browser could send cross-site without a preflight, so every GET
// carries the header that a same-site client sends; nothing else about an audit's request is touched.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { serverAudits } from 'graphql-http';

const EXPECTED = 61;
const url = process.env.URL;
if (!url) throw new Error('Set URL to the GraphQL endpoint, for example URL=http://localhost:8080/graphql');

/** @type {typeof fetch} */
const fetchFn = (input, init = {}) => {
  const headers = new Headers(init.headers);
  if ((init.method ?? 'GET') === 'GET') headers.set('x-graphql-csrf', '1');
  return fetch(input, { ...init, headers, signal: AbortSignal.timeout(10_000) });
};

/** What came back, for the message of a failed audit. */
async function answerOf({ response }) {
  if (!response) return 'no answer';
  const body = response.bodyUsed ? '' : await response.clone().text();
  return `answered ${response.status}: ${body.slice(0, 200)}`;
}

describe('GraphQL over HTTP', () => {
  const audits = serverAudits({ url, fetchFn });
  let passed = 0;

  for (const { id, name, fn } of audits) {
    test(`${id} ${name}`, async () => {
      const result = await fn();
      // A recommendation counts as much as a requirement here.
      if (result.status !== 'ok') assert.fail(`${result.reason} (${await answerOf(result)})`);
      passed += 1;
    });
  }

  test(`the package brings ${EXPECTED} audits`, () => assert.equal(audits.length, EXPECTED));

  after(() => console.log(`GraphQL over HTTP: ${passed} of ${audits.length} audits passed`));
});
