// An OpenID Connect provider whose keys can be replaced while it runs.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

/** A new signing key. */
export function signingKey(kid) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' };
}

/** The claims of the accounts. */
export const accounts = new Map();

function providerWith(issuer, redirectUri, keys) {
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'web',
        client_secret: process.env.OIDC_CLIENT_SECRET,
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
      },
      {
        client_id: 'stranger',
        token_endpoint_auth_method: 'none',
        redirect_uris: [],
        response_types: [],
        grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
      },
      {
        client_id: 'cli',
        token_endpoint_auth_method: 'none',
        redirect_uris: [],
        response_types: [],
        grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
      },
    ],
    features: { deviceFlow: { enabled: true }, devInteractions: { enabled: true } },
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
      groups: ['groups'],
    },
    scopes: ['openid', 'profile', 'email', 'groups'],
    conformIdTokenClaims: false,
    jwks: { keys },
    cookies: { keys: ['a key of the test provider'] },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, ...accounts.get(sub) }) }),
  });
  return provider.callback();
}

/** Starts the provider. */
export async function startProvider(issuer, redirectUri) {
  let handle = providerWith(issuer, redirectUri, [signingKey('first')]);
  const server = createServer((request, response) => handle(request, response));
  await new Promise((listening) => server.listen(Number(new URL(issuer).port), 'localhost', listening));
  return {
    /** Signs with these keys from now on, and publishes no others. */
    use: (...keys) => (handle = providerWith(issuer, redirectUri, keys)),
    stop: () => new Promise((stopped) => server.close(stopped).closeAllConnections()),
  };
}
