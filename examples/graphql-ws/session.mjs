// A session: logs in, authorizes requests, and gets new tokens when the server rejects the old ones.
//
// The clock of this machine plays no part: a token is used until the server rejects it.

/** @typedef {{ accessToken: string, refreshToken: string }} Tokens */
/** @typedef {ReturnType<typeof createSession>} Session */

/** The session is over, for example because the user logged out elsewhere: log in again. */
export class SessionEnded extends Error {
  name = 'SessionEnded';
}

export const LOG_IN = `mutation LogIn($input: LoginInput!) {
  login(input: $input) { accessToken refreshToken }
}`;
export const REFRESH = `mutation Refresh($input: RefreshSessionInput!) {
  refreshSession(input: $input) { accessToken refreshToken }
}`;

/** @param {unknown} problem @returns {string[]} the codes of the errors in a response, as any client wraps them */
export function codesOf(problem) {
  const { errors, graphQLErrors, source } = /** @type {any} */ (problem ?? {});
  const list = [problem, errors, graphQLErrors, source?.errors].find(Array.isArray) ?? [];
  return list.map((error) => error?.extensions?.code ?? 'UNKNOWN');
}

/** @param {string} url @param {string} query @param {object} input @returns {Promise<Tokens>} */
async function getTokens(url, query, input) {
  // No Authorization header: an expired token must not get in the way.
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
    body: JSON.stringify({ query, variables: { input } }),
  });
  const { data, errors } = await response.json();
  if (errors) throw Object.assign(new Error(errors[0].message), { errors });
  return /** @type {Tokens} */ (Object.values(data)[0]);
}

/** @param {string} url @param {string} username @param {string} password */
export const logIn = (url, username, password) => getTokens(url, LOG_IN, { username, password });

/**
 * @param {string} url the GraphQL endpoint
 * @param {Tokens} tokens from `logIn`, or as they were kept
 * @param {(tokens: Tokens | null) => void} keep stores new tokens for the next start; null when the session is over
 */
export function createSession(url, tokens, keep = () => undefined) {
  /** @type {Promise<string> | undefined} */
  let renewal;

  const renewOnce = async () => {
    try {
      tokens = await getTokens(url, REFRESH, { refreshToken: tokens.refreshToken });
    } catch (problem) {
      if (!codesOf(problem).includes('UNAUTHENTICATED')) throw problem;
      keep(null);
      throw new SessionEnded('the session has ended: log in again');
    }
    keep(tokens);
    return tokens.accessToken;
  };

  /**
   * A token that is newer than the rejected one. Everybody who is rejected at the same time shares one refresh.
   * @param {string} rejected @returns {Promise<string>}
   */
  const renew = async (rejected) => {
    if (tokens.accessToken !== rejected) return tokens.accessToken;
    renewal ??= renewOnce().finally(() => (renewal = undefined));
    return renewal;
  };

  return {
    accessToken: () => tokens.accessToken,
    renew,
    /**
     * `fetch` with the token, for any GraphQL client. A request with an expired token has changed nothing, so it is sent again.
     * @param {RequestInfo | URL} input @param {RequestInit} [init]
     */
    async fetch(input, init) {
      /** @param {string} token */
      const send = (token) => {
        const headers = new Headers(init?.headers);
        headers.set('authorization', `Bearer ${token}`);
        return fetch(input, { ...init, headers });
      };
      const used = tokens.accessToken;
      const response = await send(used);
      return response.status === 401 ? send(await renew(used)) : response;
    },
  };
}
