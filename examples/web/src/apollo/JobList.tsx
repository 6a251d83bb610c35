// The jobs of the user, live.
import { useApolloClient, useQuery } from '@apollo/client/react';
import { useEffect, useState } from 'react';
import { liveQuery } from '../../../apollo/live.mjs';
import type { JobEventsSubscription, JobsQuery } from '../gql/graphql';
import { JobTable } from '../JobTable';
import { JOB_EVENTS, JOBS } from './operations';

const FILTER = { mine: true };

/** Events of jobs that are listed have changed them in the cache already; new jobs come first. */
function insert(list: JobsQuery, { jobEvents: { job } }: JobEventsSubscription): JobsQuery {
  if (list.jobs.nodes.some(({ id }) => id === job.id)) return list;
  return { ...list, jobs: { ...list.jobs, nodes: [job, ...list.jobs.nodes] } };
}

export function JobList({ onOpen }: { onOpen: (id: string) => void }) {
  const client = useApolloClient();
  const [problem, setProblem] = useState<unknown>();
  useEffect(
    () =>
      liveQuery(
        client,
        { query: JOBS, variables: { filter: FILTER }, subscription: JOB_EVENTS, filter: FILTER, insert },
        setProblem,
      ),
    [client],
  );
  const { data } = useQuery(JOBS, { variables: { filter: FILTER }, fetchPolicy: 'cache-only' });
  if (problem) return <p role="alert">{String(problem)}</p>;
  return data ? <JobTable jobs={data.jobs.nodes} onOpen={onOpen} /> : <p>Loading…</p>;
}
