// What the page follows in the background.
import { expect, test } from 'vitest';
import type { Operation, Sink } from '../transport/resume';
import { followNews } from './news';

test('every notification and every event of a request is news, until the viewer leaves', () => {
  const running = new Map<string, Sink>();
  let news = 0;
  const stop = followNews(
    {
      subscribe: ({ query }: Operation, sink) => {
        const [field = ''] = /\w+Events/.exec(query) ?? [];
        running.set(field, sink);
        return () => running.delete(field);
      },
      renew: () => Promise.resolve(false),
      wait: () => Promise.resolve(),
    },
    () => (news += 1),
  );
  expect([...running.keys()]).toEqual(['notificationEvents', 'requestEvents']);
  for (const [field, sink] of running) sink.next({ data: { [field]: { cursor: 'c1' } } });
  expect(news).toBe(2);
  stop();
  expect(running.size).toBe(0);
});

test('after a lost connection they go on behind the last event', async () => {
  const asked: Operation[] = [];
  const sinks: Sink[] = [];
  followNews(
    {
      subscribe: (operation, sink) => {
        asked.push(operation);
        sinks.push(sink);
        return () => undefined;
      },
      renew: () => Promise.resolve(false),
      wait: () => Promise.resolve(),
    },
    () => undefined,
  );
  sinks[0]?.next({ data: { notificationEvents: { cursor: 'c7' } } });
  sinks[0]?.error(new Error('the connection was lost'));
  await new Promise((resolve) => setTimeout(resolve));
  expect(asked.at(-1)?.variables).toEqual({ after: 'c7' });
});
