// One event of a feed: a job's change, lines of a log, news of another kind, or the data as it came.
import type { FeedEvent } from './feeds';
import { viewOf } from './timeline';

const clock = (at: string | number): string => {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? String(at) : date.toLocaleTimeString([], { hour12: false });
};

export function EventRow({ event }: { event: FeedEvent }) {
  const view = viewOf(event.result);
  switch (view.kind) {
    case 'job':
      return (
        <div className="event" data-phase={view.phase}>
          <time dateTime={view.at}>{clock(view.at)}</time>
          <span className={`phase ${view.phase.toLowerCase()}`}>{view.phase}</span>
          <span className="what">{view.what.toLowerCase().replaceAll('_', ' ')}</span>
          <span className="because">{view.because}</span>
          {view.cursor !== null && <Cursor cursor={view.cursor} />}
        </div>
      );
    case 'log':
      if (view.end !== null) {
        return (
          <div className="event">
            <time>{clock(event.receivedAt)}</time>
            <span className="quiet">the log has ended: {view.end.toLowerCase()}</span>
          </div>
        );
      }
      return (
        <pre className="log">
          {view.lines.map((line) => (view.task === null ? line : `[${view.task}] ${line}`)).join('\n')}
        </pre>
      );
    case 'news':
      return (
        <div className="event">
          <time dateTime={view.at ?? undefined}>{clock(view.at ?? event.receivedAt)}</time>
          <span className={`phase ${view.tone}`}>{view.what}</span>
          <span className="news">{view.text}</span>
          {view.cursor !== null && <Cursor cursor={view.cursor} />}
        </div>
      );
    case 'error':
    case 'data':
      return (
        <div className="event">
          <time>{clock(event.receivedAt)}</time>
          <code className={view.kind}>{view.text}</code>
        </div>
      );
  }
}

function Cursor({ cursor }: { cursor: string }) {
  return (
    <code className="quiet cursor" title={`Resume after this event with after: "${cursor}"`}>
      {cursor}
    </code>
  );
}
