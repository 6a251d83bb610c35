// The log-in box: demo users to press, a form, and who is logged in.
import { useState, type SubmitEvent } from 'react';
import type { Playground } from '../playground';
import { useStore } from '../store';
import { Problems } from '../transport/Problems';
import { rolesInWords, type Named } from '../viewer/situation';
import { startUrl } from './provider';

export function SessionBox({ playground }: { playground: Playground }) {
  const { session, busy, problems } = useStore(playground.session.state);
  return (
    <section className="session" aria-label="Session">
      {session === null ? (
        <LogIn playground={playground} busy={busy} />
      ) : (
        <LoggedIn playground={playground} />
      )}
      <Problems problems={problems} />
    </section>
  );
}

function LogIn({ playground, busy }: { playground: Playground; busy: boolean }) {
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const { demoUsers, signInProviders } = playground.config;

  const logIn = (name: string, secret: string) => void playground.session.logIn(name, secret);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    logIn(username, password);
  };

  return (
    <>
      {demoUsers.length > 0 && (
        <div className="demo-users" role="group" aria-label="Log in as a demo user">
          <span className="quiet">Demo users:</span>
          {demoUsers.map((user) => (
            <button
              key={user.username}
              type="button"
              className="chip"
              disabled={busy}
              title={`Log in as ${user.username} with the password ${user.password}`}
              onClick={() => logIn(user.username, user.password)}
            >
              {user.username} <span className="quiet">{user.role.toLowerCase()}</span>
            </button>
          ))}
        </div>
      )}
      {signInProviders.map(({ key, name }) => (
        <a key={key} className="chip" href={startUrl(key)}>
          Sign in with {name}
        </a>
      ))}
      <form className="log-in" onSubmit={submit}>
        <input
          aria-label="Username"
          placeholder="Username"
          autoComplete="username"
          required
          value={username}
          onChange={(event) => setUsername(event.target.value)}
        />
        <input
          aria-label="Password"
          placeholder="Password"
          type="password"
          autoComplete="current-password"
          required
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
        <button type="submit" className="primary" disabled={busy}>
          Log in
        </button>
      </form>
    </>
  );
}

function LoggedIn({ playground }: { playground: Playground }) {
  const { session } = useStore(playground.session.state);
  const { me, groups, projects, group, project } = useStore(playground.viewer.situation);
  if (session === null) return null;
  return (
    <>
      {groups.length > 0 && (
        <Choice
          label="Group"
          among={groups}
          chosen={group}
          onChoose={(id) => playground.viewer.chooseGroup(id)}
        />
      )}
      {groups.length > 0 && (
        <Choice
          label="Project"
          among={projects.filter((each) => each.group.id === group?.id)}
          chosen={project}
          onChoose={(id) => playground.viewer.chooseProject(id)}
        />
      )}
      <span className="who" data-testid="who">
        <strong>{session.username}</strong>
        <span className="quiet"> {me !== null && rolesInWords(me)}</span>
      </span>
      <button type="button" onClick={() => void playground.session.logOut()}>
        Log out
      </button>
    </>
  );
}

interface ChoiceProps {
  label: string;
  among: readonly Named[];
  chosen: Named | null;
  onChoose: (id: string) => void;
}

/** What the ready operations are about. */
function Choice({ label, among, chosen, onChoose }: ChoiceProps) {
  return (
    <label className="choice">
      <span className="quiet">{label}</span>
      <select
        value={chosen?.id ?? ''}
        disabled={among.length === 0}
        onChange={(event) => onChoose(event.target.value)}
      >
        {chosen === null && <option value="">{among.length === 0 ? 'none yet' : 'Choose…'}</option>}
        {among.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
