// The strip below GraphiQL: every event of the running subscriptions, and the phases of each watched job.
import { useEffect, useRef, useState } from 'react';
import type { Playground } from '../playground';
import { useStore } from '../store';
import { Problems } from '../transport/Problems';
import { EventRow } from './EventRow';
import type { Feed } from './feeds';
import { PhaseTrack } from './PhaseTrack';
import { lives } from './timeline';

const SOCKET_WORDS = { closed: 'disconnected', connecting: 'connecting', open: 'connected' } as const;

export function LiveStrip({ playground }: { playground: Playground }) {
  const feeds = useStore(playground.feeds.list);
  const selectedId = useStore(playground.feeds.selected);
  const socket = useStore(playground.socket);
  const problems = useStore(playground.problems);
  const [open, setOpen] = useState(true);
  const selected = feeds.find((feed) => feed.id === selectedId) ?? feeds[0];

  return (
    <section className="live" aria-label="Live events">
      <Problems problems={problems} onDismiss={() => playground.problems.set([])} />
      <header>
        <button type="button" className="plain title" aria-expanded={open} onClick={() => setOpen(!open)}>
          <span aria-hidden="true">{open ? '▾' : '▸'}</span> Live
        </button>
        <span className={`socket ${socket}`} role="status">
          {SOCKET_WORDS[socket]}
        </span>
        <div className="feeds" role="group" aria-label="Subscriptions">
          {feeds.map((feed) => (
            <FeedButton
              key={feed.id}
              feed={feed}
              pressed={feed.id === selected?.id}
              onSelect={() => playground.feeds.selected.set(feed.id)}
            />
          ))}
        </div>
        {selected && <FeedActions playground={playground} feed={selected} />}
      </header>
      {open &&
        (selected ? (
          <FeedPanel feed={selected} />
        ) : (
          <p className="empty">No events yet. Submit a job, or run a tab that follows something.</p>
        ))}
    </section>
  );
}

/** A feed is named by the job that it follows, when it follows one. */
function feedName(feed: Feed): string {
  const jobs = lives(feed.events);
  const first = jobs[0];
  return jobs.length === 1 && first ? `${feed.title} · ${first.name} …${first.id.slice(-4)}` : feed.title;
}

function FeedButton({ feed, pressed, onSelect }: { feed: Feed; pressed: boolean; onSelect: () => void }) {
  return (
    <button type="button" className="chip feed" aria-pressed={pressed} onClick={onSelect}>
      <span className={`dot ${feed.phase}`} aria-hidden="true" />
      {feedName(feed)} <span className="quiet">{feed.received}</span>
      <span className="visually-hidden"> events, {feed.phase}</span>
    </button>
  );
}

function FeedActions({ playground, feed }: { playground: Playground; feed: Feed }) {
  return (
    <span className="actions">
      {!feed.resumable && (
        <span className="quiet">no cursor: events may be lost if the connection drops</span>
      )}
      {feed.resumed > 0 && <span className="quiet">resumed {feed.resumed}×</span>}
      {feed.phase !== 'ended' && (
        <button type="button" onClick={() => playground.feeds.stop(feed.id)}>
          Stop
        </button>
      )}
      <button type="button" onClick={() => playground.feeds.close(feed.id)}>
        Remove
      </button>
    </span>
  );
}

function FeedPanel({ feed }: { feed: Feed }) {
  const bottom = useRef<HTMLDivElement>(null);
  useEffect(() => {
    bottom.current?.scrollIntoView({ block: 'nearest' });
  }, [feed.received, feed.id]);

  return (
    <div className="feed-panel">
      <Problems problems={feed.problems} />
      <div className="tracks" aria-live="polite">
        {lives(feed.events)
          .slice(0, 3)
          .map((life) => (
            <PhaseTrack key={life.id} life={life} />
          ))}
      </div>
      <div className="events" role="log" aria-label={`Events of ${feed.title}`} tabIndex={0}>
        {feed.events.map((event) => (
          <EventRow key={event.number} event={event} />
        ))}
        {feed.events.length === 0 && <p className="empty">Waiting for the first event.</p>}
        <div ref={bottom} />
      </div>
    </div>
  );
}
