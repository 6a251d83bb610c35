// Sign-in with an OpenID Connect provider: out with a link, and back with a code in the fragment of the page's URL.

/** Where the browser goes to sign in with a provider. The page keeps tokens, so it wants a code rather than a cookie. */
export function startUrl(provider: string): string {
  return `/auth/oidc/start?${new URLSearchParams({ provider, session: 'code', return_to: '/' }).toString()}`;
}

/** What a provider sent the browser back with: a code for a session, or why there is none. */
export type Returned = { code: string } | { error: string };

export function returnedIn(fragment: string): Returned | null {
  const fields = new URLSearchParams(fragment.replace(/^#/, ''));
  const [code, error] = [fields.get('signInCode'), fields.get('signInError')];
  if (code !== null) return { code };
  return error === null ? null : { error };
}
