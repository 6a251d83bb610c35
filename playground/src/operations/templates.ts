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
  projectId: '<a project: log in and it is filled in>',
  jobId: '<a job: submit one and it is filled in>',
  cursor: '',
  commitId: '<a commit: create a config file and it is filled in>',
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
        input: { username: user?.username ?? 'your name', password: user?.password ?? 'your password' },
      },
      fills: {},
    },
    {
      name: 'SubmitJob',
      title: 'Submit',
      hint: 'Run this tab: it submits a small job. It is watched below at once.',
      query: submitJob,
      variables: {
        input: {
          projectId: PLACEHOLDER.projectId,
          name: 'hello',
          spec: {
            image: 'busybox:1.37',
            command: ['sh', '-c', 'echo hello from the cluster; sleep 5'],
            resources: { cpu: '500m', memory: '256Mi' },
          },
        },
      },
      fills: { projectId: ['input', 'projectId'] },
    },
    {
      name: 'WatchJob',
      title: 'Watch',
      hint: 'Run this tab: events arrive over the WebSocket and stay in the strip below.',
      query: watchJob,
      variables: { filter: { jobIds: [PLACEHOLDER.jobId] }, after: null },
      fills: { jobId: ['filter', 'jobIds', 0], cursor: ['after'] },
    },
    {
      name: 'CancelJob',
      title: 'Cancel',
      hint: 'Submit again and run this tab while the job runs; “Submit commit” runs for half a minute.',
      query: cancelJob,
      variables: { input: { id: PLACEHOLDER.jobId, reason: 'Trying out the playground' } },
      fills: { jobId: ['input', 'id'] },
    },
    {
      name: 'FollowLogs',
      title: 'Follow logs',
      hint: 'Run this tab: what the job writes arrives line by line in the strip below.',
      query: followLogs,
      variables: { jobId: PLACEHOLDER.jobId, task: 0, tailLines: 100, after: null },
      fills: { jobId: ['jobId'] },
    },
    {
      name: 'Browse',
      title: 'Browse',
      hint: 'Run this tab: your projects and the newest jobs in them.',
      query: browse,
      variables: { jobs: 5 },
      fills: {},
    },
    {
      name: 'CreateConfigFile',
      title: 'Config file',
      hint: 'As a manager, run this tab: it stores a YAML file as a commit for the next tab to submit.',
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
      hint: 'Run this tab: it submits the job in your config file, which runs for half a minute.',
      query: submitFromCommit,
      variables: { input: { projectId: PLACEHOLDER.projectId, commitId: PLACEHOLDER.commitId } },
      fills: { projectId: ['input', 'projectId'], commitId: ['input', 'commitId'] },
    },
  ];
}
