// urql's authExchange, as its documentation shows it: an expired access token is refreshed once, and everything that failed
// because of it is sent again.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import { Client, fetchExchange } from '@urql/core';
import { authExchange } from '@urql/exchange-auth';
import { ask, graphqlUrl, user, VIEWER } from './platform.mjs';

const TOKENS = 'accessToken refreshToken expiresAt';
const LOG_IN = `mutation LogIn($input: LoginInput!) { login(input: $input) { ${TOKENS} } }`;
const REFRESH = `mutation Refresh($input: RefreshSessionInput!) { refreshSession(input: $input) { ${TOKENS} } }`;
const UNKNOWN =
  'mutation Cancel { cancelJob(input: { id: "job_01h455vb4pex5vsknk084sn02q" }) { job { id } } }';

const logIn = async () =>
  (await ask(LOG_IN, { input: { username: user.username, password: user.password } })).login;

/** The token as it is when it has expired: signed anew with the server's secret, or waited for. */
async function expired({ accessToken, expiresAt }) {
  const secret = process.env.JWT_SECRET;
  if (secret === undefined) {
    await new Promise((next) => setTimeout(next, Date.parse(expiresAt) - Date.now() + 1_000));
    return accessToken;
  }
  const [header, body] = accessToken.split('.');
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString());
  const old = Buffer.from(JSON.stringify({ ...claims, exp: claims.exp - 100_000 })).toString('base64url');
  const signature = createHmac('sha256', secret).update(`${header}.${old}`).digest('base64url');
  return `${header}.${old}.${signature}`;
}

describe('urql with authExchange', () => {
  test('refreshes an expired token once and repeats what failed', async () => {
    const session = await logIn();
    let { refreshToken } = session;
    let accessToken = await expired(session);
    let refreshes = 0;
    const client = new Client({
      url: graphqlUrl,
      preferGetMethod: false,
      requestPolicy: 'network-only',
      exchanges: [
        authExchange(async (utils) => ({
          addAuthToOperation: (operation) =>
            utils.appendHeaders(operation, { Authorization: `Bearer ${accessToken}` }),
          didAuthError: ({ graphQLErrors }) =>
            graphQLErrors.some(({ extensions }) => extensions.code === 'UNAUTHENTICATED'),
          async refreshAuth() {
            refreshes += 1;
            // It goes out with the expired token, like every operation.
            const { data, error } = await utils.mutate(REFRESH, { input: { refreshToken } });
            if (error) throw error;
            ({ accessToken, refreshToken } = data.refreshSession);
          },
        })),
        fetchExchange,
      ],
    });
    const [one, other, cancelled] = await Promise.all([
      client.query(VIEWER, {}).toPromise(),
      client.query('{ projects(first: 1) { nodes { id } } }', {}).toPromise(),
      client.mutation(UNKNOWN, {}).toPromise(),
    ]);
    assert.equal(one.error, undefined);
    assert.equal(one.data.viewer.username, user.username);
    assert.equal(other.data.projects.nodes.length, 1);
    assert.equal(cancelled.error.graphQLErrors[0].extensions.code, 'NOT_FOUND');
    assert.equal(refreshes, 1);
  });

  test('is told that a session has ended, which no refresh mends', async () => {
    const session = await logIn();
    await ask('mutation { logout { ended } }', {}, session.accessToken);
    const client = new Client({
      url: graphqlUrl,
      preferGetMethod: false,
      exchanges: [fetchExchange],
      fetchOptions: { headers: { authorization: `Bearer ${session.accessToken}` } },
    });
    const { error } = await client.query(VIEWER, {}).toPromise();
    assert.equal(error.graphQLErrors[0].extensions.reason, 'SESSION_ENDED');
    const again = await client
      .mutation(REFRESH, { input: { refreshToken: session.refreshToken } })
      .toPromise();
    assert.equal(again.error.graphQLErrors[0].extensions.reason, 'SESSION_ENDED');
  });
});
