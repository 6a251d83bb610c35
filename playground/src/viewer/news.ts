// Follows what concerns the viewer in the background, so that the counts of what waits for them are never old.
import { parse } from 'graphql';
import { NEWS } from '../operations/viewer';
import { follow, resumePlan, subscriptionIn, type FollowOptions } from '../transport/resume';

/** Calls `onNews` for every event until the returned function is called, or the session is over. */
export function followNews(options: Omit<FollowOptions, 'plan'>, onNews: () => void): () => void {
  const stops = NEWS.map((query) => {
    const subscription = subscriptionIn(parse(query));
    const plan = subscription ? resumePlan(subscription) : null;
    return follow(
      { query },
      { ...options, plan },
      { next: onNews, phase: () => undefined, ended: () => undefined },
    );
  });
  return () => {
    for (const stop of stops) stop();
  };
}
