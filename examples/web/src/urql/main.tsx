// The live list of jobs with urql.
import { useEffect, useMemo, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { createUrqlClient, liveQuery } from '../../../urql/live.mjs';
import { graphql } from '../gql';
import type { UrqlJobRowFragment } from '../gql/graphql';
import { JobTable } from '../JobTable';
import { API, IS_TRUSTED, SignedIn, type Connection } from '../SignedIn';

const JOBS = graphql(`
  query UrqlJobs($filter: JobFilter) {
    eventCursor
    jobs(first: 50, filter: $filter, orderBy: { field: SUBMITTED_AT, direction: DESC }) {
      nodes {
        ...UrqlJobRow
      }
    }
  }
  fragment UrqlJobRow on Job {
    id
    name
    phase
  }
`);
const JOB_EVENTS = graphql(`
  subscription UrqlJobEvents($filter: JobEventFilter, $after: FeedCursor) {
    jobEvents(filter: $filter, after: $after) {
      cursor
      job {
        ...UrqlJobRow
      }
    }
  }
`);
const FILTER = { mine: true };

/** The list with a job as an event shows it: changed in place, or first if it is new. */
function withJob(
  jobs: readonly UrqlJobRowFragment[],
  job: UrqlJobRowFragment,
): readonly UrqlJobRowFragment[] {
  return jobs.some(({ id }) => id === job.id)
    ? jobs.map((each) => (each.id === job.id ? job : each))
    : [job, ...jobs];
}

function Page({ session, feed }: Connection) {
  const client = useMemo(
    () => createUrqlClient(API, session, feed, { isTrusted: IS_TRUSTED }),
    [session, feed],
  );
  const [jobs, setJobs] = useState<readonly UrqlJobRowFragment[]>();
  const [problem, setProblem] = useState<unknown>();
  useEffect(
    () =>
      liveQuery(
        client,
        { query: JOBS, variables: { filter: FILTER }, subscription: JOB_EVENTS, filter: FILTER },
        {
          onList: (list) => setJobs(list.jobs.nodes),
          onEvent: ({ jobEvents: { job } }) => setJobs((jobs = []) => withJob(jobs, job)),
          onError: setProblem,
        },
      ),
    [client],
  );
  if (problem) return <p role="alert">{String(problem)}</p>;
  return jobs ? <JobTable jobs={jobs} /> : <p>Loading…</p>;
}

const root = document.getElementById('root');
if (root) createRoot(root).render(<SignedIn>{(connection) => <Page {...connection} />}</SignedIn>);
