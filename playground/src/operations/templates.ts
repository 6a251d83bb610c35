// The ready operations: each is a tab, with variables that run as they are once the page has filled them in.
import browse from './browse.graphql?raw';
import cancelJob from './cancelJob.graphql?raw';
import createConfigFile from './createConfigFile.graphql?raw';
import followLogs from './followLogs.graphql?raw';
import logIn from './logIn.graphql?raw';
import submitFromCommit from './submitFromCommit.graphql?raw';
import submitJob from './submitJob.graphql?raw';
import watchJob from './watchJob.graphql?raw';
import type { DemoUser } from '../config';
import configFileYaml from './job.yaml?raw';

/** What the page learns while it is used, and fills into the tabs. */
export type FactName = 'projectId' | 'jobId' | 'cursor' | 'commitId';
export type Facts = Partial<Record<FactName, string>>;

/** A tab as GraphiQL starts with it. */
export interface TabDefinition {
  query: string | null;
  variables?: string | null;
}

export interface Template {
  name: string;
  /** What the step does, in the words of the guide. */
  title: string;
  hint: string;
  query: string;
  variables: Record<string, unknown>;
  /** Where a fact goes into the variables, as a path. */
  fills: Partial<Record<FactName, (string | number)[]>>;
}

export const PLACEHOLDER: Record<FactName, string> = {
  projectId: '<a project ID: filled in when you log in>',
  jobId: '<a job ID: filled in when you submit a job>',
  cursor: '',
  commitId: '<a commit ID: filled in when you create a config file>',
};

/** Every template with its own copy of the variables. */
export function templates(user: DemoUser | undefined): Template[] {
  return [
    {
      name: 'LogIn',
      title: 'Log in',
      hint: 'Log in with a demo user above, or run this tab.',
      query: logIn,
      variables: {
        input: { username: user?.username ?? 'your username', password: user?.password ?? 'your password' },
      },
      fills: {},
    },
    {
      name: 'SubmitJob',
      title: 'Submit',
      hint: 'Run this tab to submit a small job. Its events appear below.',
      query: submitJob,
      variables: {
        input: {
          projectId: PLACEHOLDER.projectId,
          name: 'hello',
          source: {
            spec: {
              image: 'busybox:1.37',
              command: ['sh', '-c', 'echo hello from the cluster; sleep 5'],
              resources: { cpu: '500m', memory: '256Mi' },
            },
          },
        },
      },
      fills: { projectId: ['input', 'projectId'] },
    },
    {
      name: 'WatchJob',
      title: 'Watch',
      hint: 'Run this tab to watch the job. Events arrive over a WebSocket and appear below.',
      query: watchJob,
      variables: { filter: { jobIds: [PLACEHOLDER.jobId] }, after: null },
      fills: { jobId: ['filter', 'jobIds', 0], cursor: ['after'] },
    },
    {
      name: 'CancelJob',
      title: 'Cancel',
      hint: 'Submit a job again, then run this tab while it is running. The job of “Submit commit” runs for half a minute.',
      query: cancelJob,
      variables: { input: { id: PLACEHOLDER.jobId, reason: 'Trying out the playground' } },
      fills: { jobId: ['input', 'id'] },
    },
    {
      name: 'FollowLogs',
      title: 'Follow logs',
      hint: 'Run this tab to follow the log of the job. Lines appear below.',
      query: followLogs,
      variables: { jobId: PLACEHOLDER.jobId, task: 0, tailLines: 100, after: null },
      fills: { jobId: ['jobId'] },
    },
    {
      name: 'Browse',
      title: 'Browse',
      hint: 'Run this tab to list your projects and their latest jobs.',
      query: browse,
      variables: { jobs: 5 },
      fills: {},
    },
    {
      name: 'CreateConfigFile',
      title: 'Config file',
      hint: 'As a manager, run this tab to create a config file. The next tab submits it.',
      query: createConfigFile,
      variables: {
        input: {
          projectId: PLACEHOLDER.projectId,
          name: 'hello-flashjob',
          message: 'A first job from YAML',
          yaml: configFileYaml,
        },
      },
      fills: { projectId: ['input', 'projectId'] },
    },
    {
      name: 'SubmitFromCommit',
      title: 'Submit commit',
      hint: 'Run this tab to submit the job in your config file. It runs for half a minute.',
      query: submitFromCommit,
      variables: {
        input: { projectId: PLACEHOLDER.projectId, source: { commitId: PLACEHOLDER.commitId } },
      },
      fills: { projectId: ['input', 'projectId'], commitId: ['input', 'source', 'commitId'] },
    },
  ];
}
