// The page with Apollo Client: the jobs of the user, a form, and the log of a job.
import { ApolloProvider } from '@apollo/client/react';
import { useMemo, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { createApolloClient } from '../../../apollo/live.mjs';
import { API, IS_TRUSTED, SignedIn, type Connection } from '../SignedIn';
import { JobList } from './JobList';
import { JobLog } from './JobLog';
import { SubmitForm } from './SubmitForm';

function Page({ session, feed }: Connection) {
  const client = useMemo(
    () => createApolloClient(API, session, feed, { isTrusted: IS_TRUSTED }),
    [session, feed],
  );
  const [job, setJob] = useState<string>();
  return (
    <ApolloProvider client={client}>
      <SubmitForm />
      <JobList onOpen={setJob} />
      {job && <JobLog key={job} job={job} />}
    </ApolloProvider>
  );
}

const root = document.getElementById('root');
if (root) createRoot(root).render(<SignedIn>{(connection) => <Page {...connection} />}</SignedIn>);
