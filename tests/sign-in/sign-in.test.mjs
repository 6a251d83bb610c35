// Sign-in with a certified OpenID Connect provider, and with one that misbehaves.
import assert from 'node:assert/strict';
import { createHash, createHmac, createPrivateKey, sign } from 'node:crypto';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { graphqlUrl } from '../clients/platform.mjs';
import { Browser } from './browser.mjs';
import { accounts, signingKey, startProvider } from './provider.mjs';

const server = process.env.PUBLIC_URL;
const issuer = process.env.OIDC_ISSUER;
const start = `${server}/auth/oidc/start?provider=1`;
const admin = { username: 'admin', password: 'platform-admin' };

accounts.set('grace', {
  name: 'Grace Hopper',
  preferred_username: 'Grace.Hopper',
  email: 'grace@example.com',
  email_verified: true,
  groups: ['ml-team'],
});

async function send(query, variables = {}, headers = {}) {
  const response = await fetch(graphqlUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query, variables }),
  });
  return response.json();
}

/** The answer to an operation that must succeed. */
async function ask(query, variables, token) {
  const { data, errors } = await send(query, variables, token && { authorization: `Bearer ${token}` });
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

/** The error of an operation that must fail. */
async function refused(query, variables, token) {
  const { errors } = await send(query, variables, token && { authorization: `Bearer ${token}` });
  assert.ok(errors, 'it succeeded');
  return errors[0];
}

const COMPLETE = `mutation Complete($code: String!) {
  completeSignIn(input: { code: $code }) { accessToken refreshToken user { id username displayName email } }
}`;
const WITH_TOKEN = `mutation WithToken($input: LoginWithIdTokenInput!) {
  loginWithIdToken(input: $input) { accessToken user { username } }
}`;
const START_DEVICE = `mutation { startDeviceLogin(input: { provider: "1" }) {
  deviceCode userCode verificationUri verificationUriComplete intervalSeconds expiresAt
} }`;
const FINISH_DEVICE = `mutation Finish($code: String!) {
  finishDeviceLogin(input: { provider: "1", deviceCode: $code }) { state session { user { username } } }
}`;
const VIEWER = `{ viewer { username memberships(first: 10) { nodes { role group { name } } } } }`;

/** The fragment that a page is returned to with. */
const fragment = (url) => new URLSearchParams(new URL(url).hash.slice(1));

/** Signs in as `login` and returns to a page of another origin: what that page gets. */
async function signInAs(login, browser = new Browser()) {
  const begun = await browser.go(`${start}&return_to=${encodeURIComponent('https://app.example.com/in')}`);
  assert.equal(begun.status, 303);
  const { location } = await browser.signIn(begun.location, login);
  return { callback: location, browser, ...(await browser.go(location)) };
}

/** An ID token of the client for command lines, which the user approves. */
async function idTokenFor(login, client = 'cli') {
  const ask = (path, form) =>
    fetch(`${issuer}${path}`, { method: 'POST', body: new URLSearchParams({ client_id: client, ...form }) });
  const begun = await (await ask('/device/auth', { scope: 'openid profile email groups' })).json();
  await approve(begun.verification_uri_complete, login);
  const grant_type = 'urn:ietf:params:oauth:grant-type:device_code';
  const tokens = await (await ask('/token', { grant_type, device_code: begun.device_code })).json();
  assert.ok(tokens.id_token, JSON.stringify(tokens));
  return tokens.id_token;
}

/** Confirms a device code on the provider's page and signs in there. */
async function approve(page, login) {
  const browser = new Browser();
  const first = await (await browser.go(page)).response.text();
  const field = (name, html) => new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1];
  let at = await browser.go(`${issuer}/device`, {
    form: { xsrf: field('xsrf', first), user_code: field('user_code', first), confirm: 'yes' },
  });
  // The page may show the code first, to be confirmed.
  if (at.status === 200) {
    const shown = await at.response.text();
    at = await browser.go(`${issuer}/device`, {
      form: { xsrf: field('xsrf', shown), user_code: field('user_code', shown), confirm: 'yes' },
    });
  }
  assert.equal(at.status, 303);
  return browser.signIn(at.location, login);
}

const decode = (part) => JSON.parse(Buffer.from(part, 'base64url'));
const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

let provider;
let token;

before(async () => {
  const login = await ask('mutation($i: LoginInput!) { login(input: $i) { accessToken } }', { i: admin });
  token = login.login.accessToken;
});
after(() => provider?.stop());

describe('before the provider is there', () => {
  test('the server runs, and says that the provider does not respond', async () => {
    const { status, response } = await new Browser().go(start);
    assert.equal(status, 503);
    assert.match(await response.text(), /Lab account is not responding; try again in a moment/);
  });

  test('the providers are listed', async () => {
    const { signInProviders } = await ask('{ signInProviders { key name issuer startPath } }');
    assert.deepEqual(signInProviders[0], {
      key: '1',
      name: 'Lab account',
      issuer,
      startPath: '/auth/oidc/start?provider=1',
    });
  });
});

describe('a page', () => {
  before(async () => (provider = await startProvider(issuer, `${server}/auth/oidc/callback`)));

  test('gets a code for a session, and the user an account with the roles of their groups', async () => {
    const { status, location } = await signInAs('grace');
    assert.equal(status, 303);
    assert.equal(new URL(location).origin, 'https://app.example.com');
    const code = fragment(location).get('signInCode');
    const { completeSignIn } = await ask(COMPLETE, { code });
    assert.equal(completeSignIn.user.username, 'grace-hopper');
    assert.equal(completeSignIn.user.email, 'grace@example.com');
    const { viewer } = await ask(VIEWER, {}, completeSignIn.accessToken);
    assert.deepEqual(viewer.memberships.nodes, [{ role: 'MEMBER', group: { name: 'vision' } }]);
    const again = await refused(COMPLETE, { code });
    assert.equal(again.message, 'the code has expired or was already used; sign in again');
  });

  test('of this server gets the session as a cookie', async () => {
    const browser = new Browser();
    const begun = await browser.go(`${start}&return_to=/jobs`);
    const { location } = await browser.signIn(begun.location, 'grace');
    const back = await browser.go(location);
    assert.equal(back.location, `${server}/jobs`);
    const session = browser.cookies(server).get('__Host-platform-session');
    assert.ok(session);
    const cookie = `__Host-platform-session=${session}`;
    const answer = await send('{ viewer { username } }', {}, { cookie, origin: server });
    assert.equal(answer.data.viewer.username, 'grace-hopper');
  });

  test('of this server gets a code if it asks for one', async () => {
    const browser = new Browser();
    const begun = await browser.go(`${start}&session=code`);
    const { location } = await browser.signIn(begun.location, 'grace');
    const back = await browser.go(location);
    assert.ok((await ask(COMPLETE, { code: fragment(back.location).get('signInCode') })).completeSignIn);
    assert.equal(browser.cookies(server).get('__Host-platform-session'), undefined);
    assert.equal((await browser.go(`${start}&session=other`)).status, 400);
  });

  test('is the same user the next time, whatever the provider calls them, with the roles of that day', async () => {
    accounts.set('grace', {
      ...accounts.get('grace'),
      preferred_username: 'rear-admiral',
      groups: ['ml-leads'],
    });
    const { location } = await signInAs('grace');
    const { completeSignIn } = await ask(COMPLETE, { code: fragment(location).get('signInCode') });
    assert.equal(completeSignIn.user.username, 'grace-hopper');
    const { viewer } = await ask(VIEWER, {}, completeSignIn.accessToken);
    assert.deepEqual(viewer.memberships.nodes, [{ role: 'MANAGER', group: { name: 'vision' } }]);
    accounts.set('grace', { ...accounts.get('grace'), groups: [] });
    const without = await signInAs('grace');
    const { completeSignIn: later } = await ask(COMPLETE, {
      code: fragment(without.location).get('signInCode'),
    });
    assert.deepEqual((await ask(VIEWER, {}, later.accessToken)).viewer.memberships.nodes, []);
    const entries = '{ auditLog(filter: { actions: ["signInWithProvider"] }) { nodes { changes { field before after } } } }';
    const { auditLog } = await ask(entries, {}, token);
    const roles = auditLog.nodes.flatMap(({ changes }) => changes).filter(({ field }) => field === 'roles.vision');
    assert.deepEqual(roles.slice(0, 3).map(({ before, after }) => [before, after]), [
      ['MANAGER', null],
      ['MEMBER', 'MANAGER'],
      [null, 'MEMBER'],
    ]);
  });

  test('does not sign in as a user with the same name or email address', async () => {
    accounts.set('impostor', { preferred_username: 'ada', email: 'ada@example.com', email_verified: true });
    const { location } = await signInAs('impostor');
    const { completeSignIn } = await ask(COMPLETE, { code: fragment(location).get('signInCode') });
    assert.equal(completeSignIn.user.username, 'ada-2');
  });

  test('is told when the user cancels', async () => {
    const browser = new Browser();
    const begun = await browser.go(`${start}&return_to=/`);
    const state = new URL(begun.location).searchParams.get('state');
    const query = new URLSearchParams({ error: 'access_denied', state, iss: issuer });
    const { location } = await browser.go(`${server}/auth/oidc/callback?${query}`);
    assert.equal(fragment(location).get('signInError'), 'the sign-in was cancelled');
  });
});

describe('an attacker', () => {
  test('cannot use a callback twice', async () => {
    const { callback, browser } = await signInAs('grace');
    const { status, response } = await browser.go(callback);
    assert.equal(status, 401);
    assert.match(await response.text(), /was already used/);
  });

  test('cannot give a callback to another browser', async () => {
    const victim = new Browser();
    await victim.go(start);
    const attacker = new Browser();
    const begun = await attacker.go(`${start}&return_to=/`);
    const { location } = await attacker.signIn(begun.location, 'grace');
    assert.equal((await victim.go(location)).status, 401);
    assert.equal((await new Browser().go(location)).status, 401);
  });

  test('cannot exchange the code of another sign-in', async () => {
    const browser = new Browser();
    const one = await browser.go(`${start}&return_to=/`);
    const other = await browser.go(`${start}&return_to=/`);
    const { location } = await browser.signIn(one.location, 'grace');
    const mixed = new URL(location);
    mixed.searchParams.set('state', new URL(other.location).searchParams.get('state'));
    const { location: back } = await browser.go(mixed.href);
    assert.match(fragment(back).get('signInError'), /did not accept the sign-in/);
  });

  test('cannot answer for another provider', async () => {
    const browser = new Browser();
    const begun = await browser.go(`${start}&return_to=/`);
    const { location } = await browser.signIn(begun.location, 'grace');
    for (const iss of ['https://evil.example', undefined]) {
      const url = new URL(location);
      if (iss) url.searchParams.set('iss', iss);
      else url.searchParams.delete('iss');
      const again = await browser.go(`${start}&return_to=/`);
      url.searchParams.set('state', new URL(again.location).searchParams.get('state'));
      const { location: back } = await browser.go(url.href);
      assert.match(fragment(back).get('signInError'), /answered by another provider/);
    }
  });

  test('cannot have the browser sent to another site', async () => {
    for (const page of ['https://evil.example', '//evil.example', '/\\evil.example', 'javascript:alert(1)']) {
      const { status, location } = await new Browser().go(`${start}&return_to=${encodeURIComponent(page)}`);
      assert.equal(status, 400, page);
      assert.equal(location, null);
    }
    assert.equal((await new Browser().go(`${start}&return_to=/&return_to=//evil.example`)).status, 400);
  });
});

describe('a command line', () => {
  test('signs in with a device code', async () => {
    const { startDeviceLogin: begun } = await ask(START_DEVICE);
    assert.equal(begun.intervalSeconds, 5);
    const code = begun.deviceCode;
    const poll = async () => (await ask(FINISH_DEVICE, { code })).finishDeviceLogin;
    assert.deepEqual(await poll(), { state: 'PENDING', session: null });
    await approve(begun.verificationUriComplete, 'grace');
    assert.deepEqual(await poll(), { state: 'SIGNED_IN', session: { user: { username: 'grace-hopper' } } });
    assert.equal((await refused(FINISH_DEVICE, { code })).extensions.code, 'UNAUTHENTICATED');
    assert.equal((await refused(FINISH_DEVICE, { code: 'guess' })).extensions.code, 'UNAUTHENTICATED');
  });
});

describe('an ID token', () => {
  test('of an allowed application is exchanged once', async () => {
    const idToken = await idTokenFor('grace');
    const { loginWithIdToken } = await ask(WITH_TOKEN, { input: { provider: '1', idToken } });
    assert.equal(loginWithIdToken.user.username, 'grace-hopper');
    const again = await refused(WITH_TOKEN, { input: { provider: '1', idToken } });
    assert.equal(again.message, 'the ID token is not valid: it was already used');
  });

  test('of another application is refused', async () => {
    const idToken = await idTokenFor('grace', 'stranger');
    const { message } = await refused(WITH_TOKEN, { input: { provider: '1', idToken } });
    assert.equal(message, 'the ID token is not valid: it was issued for another application');
  });

  test('without the nonce that was asked for is refused', async () => {
    const idToken = await idTokenFor('grace');
    const { message } = await refused(WITH_TOKEN, { input: { provider: '1', idToken, nonce: 'n' } });
    assert.equal(message, 'the ID token is not valid: its nonce is not the expected one');
  });

  test('that nobody or anybody signed is refused', async () => {
    const [header, payload] = (await idTokenFor('grace')).split('.');
    const kid = decode(header).kid;
    const hmac = (text) =>
      createHmac('sha256', process.env.OIDC_CLIENT_SECRET).update(text).digest('base64url');
    const own = signingKey(kid);
    const rsa = (text) =>
      sign('sha256', Buffer.from(text), createPrivateKey({ key: own, format: 'jwk' })).toString('base64url');
    const forged = [
      [{ alg: 'none' }, () => ''],
      [{ alg: 'HS256', kid }, hmac],
      [{ alg: 'RS256', kid }, rsa],
      [{ alg: 'RS256', kid, crit: ['x'], x: 1 }, rsa],
    ];
    for (const [head, signer] of forged) {
      const text = `${encode(head)}.${payload}`;
      const { extensions, message } = await refused(WITH_TOKEN, {
        input: { provider: '1', idToken: `${text}.${signer(text)}` },
      });
      assert.equal(extensions.code, 'UNAUTHENTICATED', head.alg);
      assert.match(message, /^the ID token is not valid/);
    }
    for (const idToken of ['', 'a.b.c', 'x'.repeat(10_000)]) {
      assert.equal(
        (await refused(WITH_TOKEN, { input: { provider: '1', idToken } })).extensions.code,
        'UNAUTHENTICATED',
      );
    }
  });

  test('of a user who is disabled or deleted is refused, and their account is not made again', async () => {
    accounts.set('mallory', { preferred_username: 'mallory' });
    // Two ID tokens of a user that are issued in the same second can be the same text, which works once.
    const input = async () => {
      await new Promise((next) => setTimeout(next, 1_100));
      return { provider: '1', idToken: await idTokenFor('mallory') };
    };
    const { loginWithIdToken } = await ask(WITH_TOKEN.replace('username', 'id username'), {
      input: await input(),
    });
    const { id, username } = loginWithIdToken.user;
    await ask('mutation($id: ID!) { disableUser(input: { id: $id }) { user { id } } }', { id }, token);
    const disabled = await refused(WITH_TOKEN, { input: await input() });
    assert.equal(disabled.message, 'your account is disabled; ask an administrator of this platform');
    const DELETE = 'mutation($i: DeleteUserInput!) { deleteUser(input: $i) { user { id } } }';
    await ask(DELETE, { i: { id, username } }, token);
    assert.equal((await refused(WITH_TOKEN, { input: await input() })).extensions.code, 'FORBIDDEN');
  });
});

describe('keys', () => {
  test('that the provider replaced are read again, and unknown ones do not make the server ask for ever', async () => {
    provider.use(signingKey('second'));
    const { location } = await signInAs('grace');
    assert.ok(fragment(location).get('signInCode'), location);
    provider.use(signingKey('third'));
    const { location: soon } = await signInAs('grace');
    assert.match(fragment(soon).get('signInError'), /not signed with a key of the provider/);
  });
});

describe('an administrator', () => {
  const LINK = `mutation Link($input: LinkIdentityInput!) { linkIdentity(input: $input) { user { username } } }`;

  test('links a user with their account at the provider', async () => {
    const { users } = await ask(
      '{ users(filter: { usernames: ["ada", "maya"] }) { nodes { id } } }',
      {},
      token,
    );
    const [ada, maya] = users.nodes.map(({ id }) => id);
    const input = { userId: ada, provider: '1', subject: 'countess' };
    await ask(LINK, { input }, token);
    await ask(LINK, { input }, token);
    const taken = await refused(LINK, { input: { ...input, userId: maya } }, token);
    assert.equal(taken.message, 'this account at the provider is already linked with another user');
    const nobody = await refused(LINK, { input });
    assert.equal(nobody.extensions.code, 'UNAUTHENTICATED');
  });
});

describe('a provider that misbehaves', () => {
  const answers = {
    redirect: (_, response) =>
      response.writeHead(302, { location: `${issuer}/.well-known/openid-configuration` }).end(),
    flood: (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const block = Buffer.alloc(1 << 20, ' ');
      let sent = 0;
      const more = () => {
        while (sent < 100) {
          sent += 1;
          if (!response.write(block)) return response.once('drain', more);
        }
        return response.end('{}');
      };
      more();
    },
    foreign: (_, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ issuer })),
  };

  for (const [name, answer] of Object.entries(answers)) {
    test(`with ${name} signs nobody in`, async () => {
      let asked = 0;
      const evil = createServer((request, response) => {
        asked += 1;
        answer(request, response);
      });
      await new Promise((up) =>
        evil.listen(Number(new URL(process.env.OIDC_ISSUER_2).port), 'localhost', up),
      );
      try {
        let status;
        for (let tries = 0; tries < 5 && asked === 0; tries += 1) {
          ({ status } = await new Browser().go(`${server}/auth/oidc/start?provider=2`));
        }
        assert.ok(asked > 0, 'the provider was not asked');
        assert.equal(status, 503);
      } finally {
        await new Promise((down) => evil.close(down).closeAllConnections());
      }
    });
  }
});

// Used to see that a code does not appear where it could be logged.
test('the secret of a sign-in is in no URL of the provider', async () => {
  const browser = new Browser();
  const { location } = await browser.go(start);
  const cookie = browser.cookies(server).get('__Host-platform-sign-in');
  assert.ok(cookie && !location.includes(cookie));
  assert.ok(!location.includes(createHash('sha256').update(cookie).digest('base64url')));
});
