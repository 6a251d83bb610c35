// The operations of the page. The rows of the list and of its events have the same fields, so that an event can become a row.
import { graphql } from '../gql';

export const JOBS = graphql(`
  query Jobs($filter: JobFilter) {
    eventCursor
    jobs(first: 50, filter: $filter, orderBy: { field: SUBMITTED_AT, direction: DESC }) {
      nodes {
        ...JobRow
      }
    }
  }
  fragment JobRow on Job {
    id
    name
    phase
  }
`);

export const JOB_EVENTS = graphql(`
  subscription JobEvents($filter: JobEventFilter, $after: FeedCursor) {
    jobEvents(filter: $filter, after: $after) {
      cursor
      job {
        ...JobRow
      }
    }
  }
`);

export const PROJECTS = graphql(`
  query Projects {
    projects(first: 100) {
      nodes {
        id
        name
      }
    }
  }
`);

// Only the ID: the response may arrive after the events of the job, and would then overwrite a newer phase in the cache.
export const SUBMIT_JOB = graphql(`
  mutation SubmitJob($input: SubmitJobInput!) {
    submitJob(input: $input) {
      job {
        id
      }
    }
  }
`);

export const JOB_LOG = graphql(`
  subscription JobLog($job: ID!, $after: FeedCursor) {
    jobLogs(jobId: $job, tailLines: 1000, after: $after) {
      cursor
      lines {
        text
      }
      end
    }
  }
`);
