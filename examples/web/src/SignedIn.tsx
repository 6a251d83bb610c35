// Logs in, and keeps the session of this browser tab.
import { useMemo, useState, type FormEvent, type ReactNode } from 'react';
import { createFeed, type Feed } from '../../graphql-ws/feed.mjs';
import { createSession, logIn, type Session, type Tokens } from '../../graphql-ws/session.mjs';

/** The endpoint, for example `VITE_API=https://platform.example.com/graphql npm run build`. */
export const API: string = import.meta.env.VITE_API ?? 'http://localhost:8080/graphql';
/** Whether the server only runs the documents of `trusted-documents.json`. */
export const IS_TRUSTED = import.meta.env.VITE_TRUSTED_DOCUMENTS === 'only';

// Of this tab alone, so that no other tab uses the same refresh token.
const KEPT = 'platform.tokens';
function kept(): Tokens | null {
  return JSON.parse(sessionStorage.getItem(KEPT) ?? 'null') as Tokens | null;
}
function keep(tokens: Tokens | null) {
  if (tokens) sessionStorage.setItem(KEPT, JSON.stringify(tokens));
  else sessionStorage.removeItem(KEPT);
}

export interface Connection {
  session: Session;
  feed: Feed;
}

export function SignedIn({ children }: { children: (connection: Connection) => ReactNode }) {
  const [tokens, setTokens] = useState(kept);
  const connection = useMemo(() => {
    if (!tokens) return null;
    const session = createSession(API, tokens, (renewed) => {
      keep(renewed);
      // The session is over: show the form again. Renewed tokens need no new session.
      if (!renewed) setTokens(null);
    });
    return { session, feed: createFeed(API.replace(/^http/, 'ws'), session) };
  }, [tokens]);

  if (!connection) {
    return (
      <LogIn
        onTokens={(tokens) => {
          keep(tokens);
          setTokens(tokens);
        }}
      />
    );
  }
  return children(connection);
}

function LogIn({ onTokens }: { onTokens: (tokens: Tokens) => void }) {
  const [problem, setProblem] = useState('');
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    logIn(API, String(form.get('username')), String(form.get('password'))).then(onTokens, (error: Error) =>
      setProblem(error.message),
    );
  };
  return (
    <form onSubmit={submit}>
      <label>
        Username <input name="username" autoComplete="username" required />
      </label>
      <label>
        Password <input name="password" type="password" autoComplete="current-password" required />
      </label>
      <button>Log in</button>
      <p role="alert" className="error">
        {problem}
      </p>
    </form>
  );
}
