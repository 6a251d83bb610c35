// Ready operations for jobs: submit one, watch it, read its log, cancel it.
import browse from './browse.graphql?raw';
import cancelJob from './cancelJob.graphql?raw';
import createConfigFile from './createConfigFile.graphql?raw';
import followLogs from './followLogs.graphql?raw';
import configFileYaml from './job.yaml?raw';
import logIn from './logIn.graphql?raw';
import submitFromCommit from './submitFromCommit.graphql?raw';
import submitJob from './submitJob.graphql?raw';
import watchJob from './watchJob.graphql?raw';
import type { DemoUser } from '../../config';
import type { Situation } from '../../viewer/situation';
import { LOGGED_IN, may, PLACEHOLDER, type Template } from '../template';

const topic = 'Jobs' as const;
const unlessArchived = ({ project }: Situation) =>
  project?.state === 'ARCHIVED' ? `${project.name} is archived: restore it under Projects first.` : null;

/** `user` is who the first tab logs in. */
export function jobs(user: DemoUser | undefined): Template[] {
  return [
    {
      name: 'LogIn',
      topic,
      title: 'Log in',
      hint: 'Log in with a demo user above, or run this tab.',
      query: logIn,
      variables: {
        input: { username: user?.username ?? 'your username', password: user?.password ?? 'your password' },
      },
      fills: {},
      need: 'nothing',
    },
    {
      name: 'SubmitJob',
      topic,
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
      need: may('SUBMIT_JOB', 'project'),
      unfit: unlessArchived,
    },
    {
      ...LOGGED_IN,
      name: 'WatchJob',
      topic,
      title: 'Watch',
      hint: 'Run this tab to watch the job. Events arrive over a WebSocket and appear below.',
      query: watchJob,
      variables: { filter: { jobIds: [PLACEHOLDER.jobId] }, after: null },
      fills: { jobId: ['filter', 'jobIds', 0], cursor: ['after'] },
    },
    {
      ...LOGGED_IN,
      name: 'CancelJob',
      topic,
      title: 'Cancel',
      hint: 'Submit a job again, then run this tab while it is running. The job of “Submit commit” runs for half a minute.',
      query: cancelJob,
      variables: { input: { id: PLACEHOLDER.jobId, reason: 'Trying out the playground' } },
      fills: { jobId: ['input', 'id'] },
    },
    {
      ...LOGGED_IN,
      name: 'FollowLogs',
      topic,
      title: 'Follow logs',
      hint: 'Run this tab to follow the log of the job. Lines appear below.',
      query: followLogs,
      variables: { jobId: PLACEHOLDER.jobId, task: 0, tailLines: 100, after: null },
      fills: { jobId: ['jobId'] },
    },
    {
      ...LOGGED_IN,
      name: 'Browse',
      topic,
      title: 'Browse',
      hint: 'Run this tab to list your projects and their latest jobs.',
      query: browse,
      variables: { jobs: 5 },
    },
    {
      name: 'CreateConfigFile',
      topic,
      title: 'Config file',
      hint: 'Run this tab to create a config file. The next tab submits it.',
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
      need: may('CREATE_CONFIG_FILE', 'project'),
      unfit: unlessArchived,
    },
    {
      name: 'SubmitFromCommit',
      topic,
      title: 'Submit commit',
      hint: 'Run this tab to submit the job in your config file. It runs for half a minute.',
      query: submitFromCommit,
      variables: {
        input: { projectId: PLACEHOLDER.projectId, source: { commitId: PLACEHOLDER.commitId } },
      },
      fills: { projectId: ['input', 'projectId'], commitId: ['input', 'source', 'commitId'] },
      need: may('SUBMIT_JOB', 'project'),
      unfit: unlessArchived,
    },
  ];
}
