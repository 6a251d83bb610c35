// The ready operations by topic, each a button that opens its tab, what the open one is for, and one line that says what
// to do, or why the viewer cannot.
import { useEffect, useMemo, useState } from 'react';
import { factsFor, valueAt } from '../operations/fill';
import { isTopicLocked, lockOf } from '../operations/lock';
import { choicesFor, chosenFor, PICK_LABEL } from '../operations/picks';
import { TOPICS, type Template, type Topic } from '../operations/template';
import { FIRST_TOPIC } from '../operations/templates';
import { FilesButton } from '../files/FilesButton';
import type { Playground } from '../playground';
import { useStore } from '../store';
import { isTerminal, lives } from '../live/timeline';
import { Rights } from '../viewer/Rights';
import type { Situation } from '../viewer/situation';
import { useReadyTabs, type TabsView } from './useReadyTabs';

/** The steps from logging in to a job that succeeded have numbers. */
const MAIN_STEPS = ['LogIn', 'SubmitJob', 'WatchJob', 'CancelJob'];

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

/** How much of a topic waits for the viewer, and in which words. */
function waiting(topic: Topic, { unread, requests, people }: Situation): { count: number; words: string } {
  switch (topic) {
    case 'Notifications':
      return { count: unread, words: 'unread' };
    case 'Requests':
      return { count: requests.filter((each) => each.viewerCanResolve).length, words: 'to decide' };
    case 'People':
      return {
        count: people.filter(({ state }) => state === 'WAITING').length,
        words: 'waiting for approval',
      };
    default:
      return { count: 0, words: '' };
  }
}

export function Guide({ playground, view }: { playground: Playground; view: TabsView }) {
  const { templates, viewer } = playground;
  const learnt = useStore(playground.facts);
  const picked = useStore(viewer.picked);
  const typed = useStore(viewer.typed);
  const situation = useStore(viewer.situation);
  const { session } = useStore(playground.session.state);
  const done = useProgress(playground);
  const factsOf = useMemo(
    () => new Map(templates.map((each) => [each.name, factsFor(each, situation, learnt, { picked, typed })])),
    [templates, situation, learnt, picked, typed],
  );
  const { active, openTab } = useReadyTabs(templates, factsOf, view);
  useEffect(() => {
    // With many tabs, the one that was opened may be out of sight.
    document.querySelector('.graphiql-tab-active')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [active]);
  // Which topic is looked at stays until another tab is opened; then it is that of the tab.
  const [browsed, setBrowsed] = useState<{ topic: Topic; whileAt: string } | null>(null);
  const [refused, setRefused] = useState<Template | null>(null);
  const [isShowingRights, setShowingRights] = useState(false);

  const open = templates.find(({ name }) => name === active);
  const topic = browsed?.whileAt === active ? browsed.topic : (open?.topic ?? browsed?.topic ?? FIRST_TOPIC);
  const browse = (next: Topic) => {
    setBrowsed({ topic: next, whileAt: active });
    setRefused(null);
    void viewer.reload();
  };
  const choose = (template: Template) => {
    const isRefused = lockOf(template, situation)?.kind === 'refused';
    setRefused(isRefused ? template : null);
    if (isRefused) return;
    viewer.goOn(template);
    openTab(template);
  };

  // Somebody else may have logged in since.
  const explained = refused && lockOf(refused, situation)?.kind === 'refused' ? refused : null;
  const ofTopic = templates.filter((template) => template.topic === topic);
  // Where nothing is open, the first step says why.
  const first = isTopicLocked(templates, topic, situation) ? ofTopic[0] : undefined;
  const shown = explained ?? (open?.topic === topic ? open : first);
  return (
    <>
      <div
        className="overview"
        onKeyDown={(event) => {
          if (event.key === 'Escape') setShowingRights(false);
        }}
      >
        <nav className="topics" aria-label="Topics">
          {TOPICS.map((each) => (
            <TopicButton
              key={each}
              topic={each}
              isCurrent={each === topic}
              isLocked={isTopicLocked(templates, each, situation)}
              waiting={waiting(each, situation)}
              onChoose={() => browse(each)}
            />
          ))}
          {situation.me !== null && (
            <button
              type="button"
              className="topic what"
              aria-expanded={isShowingRights}
              aria-controls="rights"
              onClick={() => setShowingRights(!isShowingRights)}
            >
              What you can do <span aria-hidden="true">{isShowingRights ? '▴' : '▾'}</span>
            </button>
          )}
        </nav>
        {isShowingRights && situation.me !== null && <Rights situation={situation} />}
      </div>
      <nav className="guide" aria-label="Ready operations">
        <ol>
          {ofTopic.map((template) => (
            <li key={template.name}>
              <StepButton
                template={template}
                isOpen={template.name === active}
                isDone={done.has(template.name)}
                isLocked={lockOf(template, situation) !== null}
                isRefused={lockOf(template, situation)?.kind === 'refused'}
                onChoose={() => choose(template)}
              />
            </li>
          ))}
        </ol>
        {shown && <PickBox playground={playground} template={shown} />}
        {shown && <FilesButton key={shown.name} playground={playground} template={shown} />}
        {shown && <TypeBox playground={playground} template={shown} />}
        <Hint template={shown} situation={situation} isLoggedIn={session !== null} />
      </nav>
    </>
  );
}

interface TopicButtonProps {
  topic: Topic;
  isCurrent: boolean;
  isLocked: boolean;
  waiting: { count: number; words: string };
  onChoose: () => void;
}

function TopicButton({ topic, isCurrent, isLocked, waiting: { count, words }, onChoose }: TopicButtonProps) {
  return (
    <button
      type="button"
      className={isLocked ? 'topic locked' : 'topic'}
      aria-current={isCurrent ? 'true' : undefined}
      onClick={onChoose}
    >
      {topic}
      {isLocked && <LockSign />}
      {count > 0 && (
        <span className="count">
          {count}
          <span className="visually-hidden"> {words}</span>
        </span>
      )}
    </button>
  );
}

interface StepButtonProps {
  template: Template;
  isOpen: boolean;
  isDone: boolean;
  isLocked: boolean;
  isRefused: boolean;
  onChoose: () => void;
}

function StepButton({ template, isOpen, isDone, isLocked, isRefused, onChoose }: StepButtonProps) {
  const number = MAIN_STEPS.indexOf(template.name) + 1;
  const classes = ['step', ...(number > 0 ? [] : ['more']), ...(isLocked ? ['locked'] : [])];
  return (
    <button
      type="button"
      className={classes.join(' ')}
      aria-current={isOpen ? 'step' : undefined}
      aria-disabled={isRefused}
      onClick={onChoose}
    >
      {number > 0 && (
        <span className={isDone ? 'number done' : 'number'} aria-hidden="true">
          {isDone ? '✓' : number}
        </span>
      )}
      {template.title}
      {isRefused && <LockSign />}
      {isDone && <span className="visually-hidden"> (done)</span>}
    </button>
  );
}

function LockSign() {
  return (
    <>
      <svg className="lock" viewBox="0 0 12 14" width="9" height="11" aria-hidden="true">
        <path d="M3 6V4a3 3 0 0 1 6 0v2" fill="none" stroke="currentColor" strokeWidth="1.6" />
        <rect x="1" y="6" width="10" height="7" rx="1.5" fill="currentColor" />
      </svg>
      <span className="visually-hidden"> (locked)</span>
    </>
  );
}

/** Whom or what the open tab is about. */
function PickBox({ playground, template }: { playground: Playground; template: Template }) {
  const situation = useStore(playground.viewer.situation);
  const picked = useStore(playground.viewer.picked);
  if (!template.picks || lockOf(template, situation) !== null) return null;
  const choices = choicesFor(template.picks, situation);
  const chosen = chosenFor(template, situation, picked);
  return (
    <label className="pick">
      <span className="quiet">{PICK_LABEL[template.picks.kind]}</span>
      <select
        value={chosen?.id ?? ''}
        onChange={(event) => playground.viewer.pick(template.name, event.target.value)}
      >
        {!chosen && <option value="">Choose…</option>}
        {choices.map(({ id, label }) => (
          <option key={id} value={id}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
}

/** What only the viewer knows, typed here rather than into the variables. */
function TypeBox({ playground, template }: { playground: Playground; template: Template }) {
  const situation = useStore(playground.viewer.situation);
  const typed = useStore(playground.viewer.typed);
  const { asks, fills, name } = template;
  if (!asks || lockOf(template, situation) !== null) return null;
  const example = valueAt(template.variables, fills.typed ?? []);
  const suggested = asks.suggests?.(situation) ?? [];
  return (
    <label className="pick">
      <span className="quiet">{asks.label}</span>
      <input
        value={typed[name] ?? ''}
        placeholder={typeof example === 'string' ? example : ''}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        list={suggested.length > 0 ? 'suggested' : undefined}
        onChange={(event) => playground.viewer.type(name, event.target.value)}
      />
      <datalist id="suggested">
        {suggested.map((each) => (
          <option key={each} value={each} />
        ))}
      </datalist>
    </label>
  );
}

interface HintProps {
  template: Template | undefined;
  situation: Situation;
  isLoggedIn: boolean;
}

function Hint({ template, situation, isLoggedIn }: HintProps) {
  const lock = template && lockOf(template, situation);
  const isStart = template?.name === 'LogIn';
  const text = isStart && isLoggedIn ? 'Logged in. Open step 2.' : (lock?.reason ?? template?.hint);
  return (
    <p className={lock ? 'hint locked' : 'hint'} aria-live="polite">
      {text ?? 'Choose what to do.'} {template && !lock && !isStart && <kbd>Ctrl+Enter</kbd>}
    </p>
  );
}
