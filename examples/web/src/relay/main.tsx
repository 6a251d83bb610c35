// The live list of jobs with Relay. The compiler stores the documents and sends their IDs, so the server must know them:
// TRUSTED_DOCUMENTS=examples/trusted-documents.json TRUSTED_DOCUMENTS_MODE=allow make dev
import { useEffect, useMemo, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { graphql, RelayEnvironmentProvider, useLazyLoadQuery, useRelayEnvironment } from 'react-relay';
import type { RecordSourceSelectorProxy } from 'relay-runtime';
import { createEnvironment, liveQuery } from '../../../relay/live.mjs';
import { JobTable } from '../JobTable';
import { API, SignedIn, type Connection } from '../SignedIn';
import type { mainRelayJobEventsSubscription } from './__generated__/mainRelayJobEventsSubscription.graphql';
import type { mainRelayJobsQuery } from './__generated__/mainRelayJobsQuery.graphql';

const JOBS = graphql`
  query mainRelayJobsQuery($filter: JobFilter) {
    eventCursor
    jobs(first: 50, filter: $filter, orderBy: { field: SUBMITTED_AT, direction: DESC }) {
      nodes {
        id
        name
        phase
      }
    }
  }
`;
const JOB_EVENTS = graphql`
  subscription mainRelayJobEventsSubscription($filter: JobEventFilter, $after: FeedCursor) {
    jobEvents(filter: $filter, after: $after) {
      cursor
      job {
        id
        name
        phase
      }
    }
  }
`;
const FILTER = { mine: true };
const ARGUMENTS = { first: 50, filter: FILTER, orderBy: { field: 'SUBMITTED_AT', direction: 'DESC' } };

/** Events of jobs that are listed have changed them in the store already; new jobs come first. */
function updater(store: RecordSourceSelectorProxy<mainRelayJobEventsSubscription['response']>) {
  const job = store.getRootField('jobEvents')?.getLinkedRecord('job');
  const list = store.getRoot().getLinkedRecord('jobs', ARGUMENTS);
  const jobs = list?.getLinkedRecords('nodes');
  if (!job || !list || !jobs || jobs.some((each) => each?.getDataID() === job.getDataID())) return;
  list.setLinkedRecords([job, ...jobs], 'nodes');
}

function LiveJobs() {
  const environment = useRelayEnvironment();
  const [isListed, setIsListed] = useState(false);
  const [problem, setProblem] = useState<unknown>();
  useEffect(
    () =>
      liveQuery<mainRelayJobsQuery, mainRelayJobEventsSubscription>(
        environment,
        { query: JOBS, variables: { filter: FILTER }, subscription: JOB_EVENTS, filter: FILTER, updater },
        { onList: () => setIsListed(true), onEvent: () => undefined, onError: setProblem },
      ),
    [environment],
  );
  if (problem) return <p role="alert">{String(problem)}</p>;
  return isListed ? <Jobs /> : <p>Loading…</p>;
}

function Jobs() {
  const { jobs } = useLazyLoadQuery<mainRelayJobsQuery>(
    JOBS,
    { filter: FILTER },
    { fetchPolicy: 'store-only' },
  );
  return <JobTable jobs={jobs.nodes} />;
}

function Page({ session, feed }: Connection) {
  const environment = useMemo(() => createEnvironment(API, session, feed), [session, feed]);
  return (
    <RelayEnvironmentProvider environment={environment}>
      <LiveJobs />
    </RelayEnvironmentProvider>
  );
}

const root = document.getElementById('root');
if (root) createRoot(root).render(<SignedIn>{(connection) => <Page {...connection} />}</SignedIn>);
