// Runs the tests against a server that is configured for two providers: tests/sign-in/provider.mjs, which the tests start
// later than the server, and one that misbehaves.
import { createServer } from 'node:net';
import { resolve } from 'node:path';

/** A port that nothing listens on. */
function freePort() {
  return new Promise((found) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => found(String(port)));
    });
  });
}

const [port, provider, malicious] = [await freePort(), await freePort(), await freePort()];
Object.assign(process.env, {
  PORT: port,
  PUBLIC_URL: `http://localhost:${port}`,
  ALLOWED_ORIGINS: 'https://app.example.com',
  COOKIE_SESSIONS: 'true',
  RATE_LIMIT_LOGINS_PER_ADDRESS: '0',
  OIDC_ISSUER: `http://localhost:${provider}`,
  OIDC_NAME: 'Lab account',
  OIDC_CLIENT_ID: 'web',
  OIDC_CLIENT_SECRET: 'a-secret-of-the-test-client',
  OIDC_SCOPES: 'profile email groups',
  OIDC_AUDIENCES: 'cli',
  OIDC_CREATE_USERS: 'true',
  OIDC_GROUP_ROLES: 'ml-team=vision:MEMBER,ml-leads=vision:MANAGER',
  OIDC_ISSUER_2: `http://localhost:${malicious}`,
  OIDC_CLIENT_ID_2: 'web',
});
// It starts the server and runs the tests of the folder in its arguments.
process.argv[2] = resolve(import.meta.dirname);
await import('../clients/run.mjs');
