// Ready operations for projects: create one, limit it, plan it, archive it, delete it.
import archiveProject from './archiveProject.graphql?raw';
import createProject from './createProject.graphql?raw';
import deleteProject from './deleteProject.graphql?raw';
import followQuota from './followQuota.graphql?raw';
import listProjects from './listProjects.graphql?raw';
import previewDeletion from './previewDeletion.graphql?raw';
import restoreProject from './restoreProject.graphql?raw';
import setGpuLimit from './setGpuLimit.graphql?raw';
import setProjectLimits from './setProjectLimits.graphql?raw';
import setSchedule from './setSchedule.graphql?raw';
import updateProject from './updateProject.graphql?raw';
import { LOGGED_IN, may, PLACEHOLDER, type Template } from '../template';

const topic = 'Projects' as const;
const projectId = PLACEHOLDER.projectId;
const ofInput = { projectId: ['input', 'projectId'] };

export const projects: Template[] = [
  {
    ...LOGGED_IN,
    name: 'ListProjects',
    topic,
    title: 'List',
    hint: 'Run this tab to see your projects, their limits and what you can do with each.',
    query: listProjects,
    variables: {},
  },
  {
    name: 'CreateProject',
    topic,
    title: 'Create',
    hint: 'Name the project, and run this tab to create it in the group chosen above.',
    query: createProject,
    variables: {
      input: { groupId: PLACEHOLDER.groupId, name: 'pilot', description: 'A first try of a new idea.' },
    },
    fills: { groupId: ['input', 'groupId'], typed: ['input', 'name'] },
    asks: { label: 'Name' },
    need: may('CREATE_PROJECT', 'group'),
  },
  {
    name: 'UpdateProject',
    topic,
    title: 'Describe',
    hint: 'Run this tab to describe the project chosen above.',
    query: updateProject,
    variables: { input: { projectId, description: 'What the project is for.' } },
    fills: ofInput,
    need: may('UPDATE_PROJECT', 'project'),
  },
  {
    name: 'SetProjectLimits',
    topic,
    title: 'Limits',
    hint: 'Run this tab to limit what the jobs of the project can use.',
    query: setProjectLimits,
    variables: {
      input: {
        projectId,
        cpu: '16',
        memory: '64Gi',
        storage: '500Gi',
        concurrentJobs: 10,
        concurrentJobsPerUser: 5,
        queuedJobs: 50,
        maxRunSeconds: 86_400,
      },
    },
    fills: ofInput,
    need: may('SET_PROJECT_LIMITS', 'project'),
  },
  {
    name: 'SetGpuLimit',
    topic,
    title: 'GPUs',
    hint: 'Run this tab to give the project GPUs.',
    query: setGpuLimit,
    variables: { input: { projectId, gpu: 8 } },
    fills: ofInput,
    need: may('SET_GPU_LIMIT', 'project'),
  },
  {
    name: 'SetSchedule',
    topic,
    title: 'Schedule',
    hint: 'Run this tab to let jobs start at night and over the weekend. Other jobs wait.',
    query: setSchedule,
    variables: {
      input: {
        projectId,
        timeZone: 'Europe/Berlin',
        outside: 'WAIT',
        windows: [
          { weekday: 'MONDAY', from: '20:00', to: '06:00' },
          { weekday: 'SATURDAY', from: '00:00', to: '24:00' },
          { weekday: 'SUNDAY', from: '00:00', to: '24:00' },
        ],
      },
    },
    fills: ofInput,
    need: may('SET_PROJECT_SCHEDULE', 'project'),
  },
  {
    name: 'FollowQuota',
    topic,
    title: 'Usage',
    hint: 'Run this tab, then submit a job: what the project uses appears below, live.',
    query: followQuota,
    variables: { projectId },
    fills: { projectId: ['projectId'] },
    need: may('VIEW_PROJECT', 'project'),
  },
  {
    name: 'ArchiveProject',
    topic,
    title: 'Archive',
    hint: 'Run this tab to archive the project chosen above. Restore undoes it.',
    query: archiveProject,
    variables: { input: { projectId } },
    fills: ofInput,
    need: may('ARCHIVE_PROJECT', 'project'),
    unfit: ({ project }) => (project?.state === 'ARCHIVED' ? `${project.name} is archived already.` : null),
  },
  {
    name: 'RestoreProject',
    topic,
    title: 'Restore',
    hint: 'Run this tab to take the project out of the archive again.',
    query: restoreProject,
    variables: { input: { projectId } },
    fills: ofInput,
    need: may('RESTORE_PROJECT', 'project'),
    unfit: ({ project }) => (project?.state === 'ACTIVE' ? `${project.name} is not archived.` : null),
  },
  {
    name: 'PreviewDeletion',
    topic,
    title: 'Preview deletion',
    hint: 'Run this tab to see what would be deleted with the project. Nothing is changed.',
    query: previewDeletion,
    variables: { projectId },
    fills: { projectId: ['projectId'] },
    need: may('VIEW_PROJECT', 'project'),
  },
  {
    name: 'DeleteProject',
    topic,
    title: 'Delete',
    hint: 'Type the name of the project to confirm, and run this tab. It cannot be undone.',
    query: deleteProject,
    variables: { input: { projectId, confirmName: '' } },
    fills: { ...ofInput, typed: ['input', 'confirmName'] },
    asks: { label: 'Name' },
    need: may('DELETE_PROJECT', 'project'),
  },
];
