// The steps from logging in to a job that succeeded, each a button that opens its tab, and one line that says what to do.
import type { Playground } from '../playground';
import { useStore } from '../store';
import { isTerminal, lives } from '../live/timeline';
import { useReadyTabs, type TabsView } from './useReadyTabs';

const MAIN_STEPS = 4;

function useProgress(playground: Playground): ReadonlySet<string> {
  const { session } = useStore(playground.session.state);
  const { jobId, commitId } = useStore(playground.facts);
  const feeds = useStore(playground.feeds.list);
  const seen = feeds.flatMap((feed) => lives(feed.events));
  const done = new Set<string>();
  if (session !== null) done.add('LogIn');
  if (jobId !== undefined) done.add('SubmitJob');
  if (seen.some((life) => isTerminal(life.phase))) done.add('WatchJob');
  if (seen.some((life) => life.phase === 'CANCELLED')) done.add('CancelJob');
  if (commitId !== undefined) done.add('CreateConfigFile');
  return done;
}

export function Guide({ playground, view }: { playground: Playground; view: TabsView }) {
  const facts = useStore(playground.facts);
  const { session } = useStore(playground.session.state);
  const done = useProgress(playground);
  const { active, openTab } = useReadyTabs(playground.templates, facts, view);

  const logIn = playground.templates[0];
  const current = session === null ? logIn : playground.templates.find(({ name }) => name === active);
  const hint = session !== null && active === 'LogIn' ? 'Logged in. Open step 2.' : current?.hint;

  return (
    <nav className="guide" aria-label="Ready operations">
      <ol>
        {playground.templates.map((template, index) => (
          <li key={template.name}>
            <button
              type="button"
              className={index < MAIN_STEPS ? 'step' : 'step more'}
              aria-current={active === template.name ? 'step' : undefined}
              onClick={() => openTab(template)}
            >
              {index < MAIN_STEPS && (
                <span className={done.has(template.name) ? 'number done' : 'number'} aria-hidden="true">
                  {done.has(template.name) ? '✓' : index + 1}
                </span>
              )}
              {template.title}
              {done.has(template.name) && <span className="visually-hidden"> (done)</span>}
            </button>
          </li>
        ))}
      </ol>
      <p className="hint" aria-live="polite">
        {hint} {hint !== undefined && session !== null && active !== 'LogIn' && <kbd>Ctrl+Enter</kbd>}
      </p>
    </nav>
  );
}
