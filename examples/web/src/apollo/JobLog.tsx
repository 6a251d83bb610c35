// The log of the first task of a job. The feed resumes it, so a chunk is never missing and never repeated.
import { useSubscription } from '@apollo/client/react';
import { useState } from 'react';
import { JOB_LOG } from './operations';

export function JobLog({ job }: { job: string }) {
  const [text, setText] = useState('');
  const [end, setEnd] = useState<string>();
  const { error } = useSubscription(JOB_LOG, {
    variables: { job },
    // Chunks are appended here, and need no place in the cache.
    fetchPolicy: 'no-cache',
    onData: ({ data: { data } }) => {
      if (!data) return;
      setText((before) => before + data.jobLogs.lines.map((line) => `${line.text}\n`).join(''));
      setEnd(data.jobLogs.end ?? undefined);
    },
  });
  return (
    <section aria-label="Log" data-end={end}>
      <pre>{text}</pre>
      {end && <p>The log has ended: {end}</p>}
      {error && <p role="alert">{error.message}</p>}
    </section>
  );
}
