// Ready operations for storage: make a claim, look at it live, let others use it, open its files.
import closeFiles from './closeFiles.graphql?raw';
import createClaim from './createClaim.graphql?raw';
import createDrive from './createDrive.graphql?raw';
import deleteClaim from './deleteClaim.graphql?raw';
import followClaims from './followClaims.graphql?raw';
import listClaims from './listClaims.graphql?raw';
import listStorageClasses from './listStorageClasses.graphql?raw';
import myFiles from './myFiles.graphql?raw';
import openFiles from './openFiles.graphql?raw';
import removeShare from './removeShare.graphql?raw';
import resizeClaim from './resizeClaim.graphql?raw';
import setStoragePermissions from './setStoragePermissions.graphql?raw';
import shareClaim from './shareClaim.graphql?raw';
import { LOGGED_IN, may, PLACEHOLDER, picking, type Template } from '../template';

const topic = 'Storage' as const;
const pvcId = PLACEHOLDER.pvcId;
const none = 'There is no storage claim for this yet. Create one, or your drive.';

export const storage: Template[] = [
  {
    ...LOGGED_IN,
    name: 'ListClaims',
    topic,
    title: 'List',
    hint: 'Run this tab to see your storage claims.',
    query: listClaims,
    variables: { filter: null },
  },
  {
    name: 'CreateDrive',
    topic,
    title: 'My drive',
    hint: 'Run this tab to get storage of your own.',
    query: createDrive,
    variables: { input: {} },
    fills: {},
    need: may('CREATE_PVC', 'self'),
  },
  {
    name: 'CreateClaim',
    topic,
    title: 'Create',
    hint: 'Name the claim, and run this tab to create storage for the project chosen above.',
    query: createClaim,
    variables: {
      input: {
        projectId: PLACEHOLDER.projectId,
        name: 'datasets',
        size: '10Gi',
        accessMode: 'READ_WRITE_MANY',
        defaultAccess: 'WRITE',
      },
    },
    fills: { projectId: ['input', 'projectId'], typed: ['input', 'name'] },
    asks: { label: 'Name' },
    need: may('CREATE_PVC', 'project'),
  },
  {
    ...LOGGED_IN,
    name: 'FollowClaims',
    topic,
    title: 'Follow',
    hint: 'Run this tab, then create a claim: what happens to it appears below, live.',
    query: followClaims,
    variables: { after: null },
  },
  {
    ...LOGGED_IN,
    name: 'OpenFiles',
    topic,
    title: 'Open files',
    hint: 'Choose a claim, and press Files to see what is in it in a new tab.',
    query: openFiles,
    variables: { input: { claimId: pvcId } },
    fills: { pvcId: ['input', 'claimId'] },
    picks: picking({ kind: 'claim', suits: ({ viewerAccess }) => viewerAccess !== 'NONE', none }),
  },
  {
    ...LOGGED_IN,
    name: 'MyFiles',
    topic,
    title: 'My open files',
    hint: 'Run this tab to see the files that you have open.',
    query: myFiles,
    variables: {},
  },
  {
    ...LOGGED_IN,
    name: 'CloseFiles',
    topic,
    title: 'Close files',
    hint: 'Open files before, or list them: run this tab to close what was opened last.',
    query: closeFiles,
    variables: { input: { id: PLACEHOLDER.fileSessionId } },
    fills: { fileSessionId: ['input', 'id'] },
  },
  {
    ...LOGGED_IN,
    name: 'ResizeClaim',
    topic,
    title: 'Resize',
    hint: 'Choose a claim and type its new size. Storage can only grow.',
    query: resizeClaim,
    variables: { input: { id: pvcId, size: '20Gi' } },
    fills: { pvcId: ['input', 'id'], typed: ['input', 'size'] },
    asks: { label: 'Size' },
    picks: picking({ kind: 'claim', suits: ({ viewerCanResize }) => viewerCanResize, none }),
  },
  {
    ...LOGGED_IN,
    name: 'SetStoragePermissions',
    topic,
    title: 'Permissions',
    hint: 'Choose a claim and type a username: they can then see the files, but not change them.',
    query: setStoragePermissions,
    variables: { input: { pvcId, permissions: [{ username: 'ada', access: 'READ' }] } },
    fills: { pvcId: ['input', 'pvcId'], typed: ['input', 'permissions', 0, 'username'] },
    asks: { label: 'Username', suggests: ({ people }) => people.map(({ username }) => username) },
    picks: picking({
      kind: 'claim',
      suits: ({ viewerCanSetPermissions }) => viewerCanSetPermissions,
      none,
    }),
  },
  {
    name: 'ShareClaim',
    topic,
    title: 'Share',
    hint: 'Choose the claim of a group, or a drive, and run this tab to show its files in the project chosen above.',
    query: shareClaim,
    variables: { input: { id: pvcId, projectId: PLACEHOLDER.projectId, readOnly: true } },
    fills: { pvcId: ['input', 'id'], projectId: ['input', 'projectId'] },
    need: may('BIND_PVC', 'project'),
    picks: picking({
      kind: 'claim',
      suits: ({ project }) => project === null,
      none: 'Only the claims of groups, and drives, can be shared, and you can see none.',
    }),
  },
  {
    ...LOGGED_IN,
    name: 'RemoveShare',
    topic,
    title: 'Remove share',
    hint: 'Choose a share, and run this tab to remove it from its project. No file is deleted.',
    query: removeShare,
    variables: { input: { id: pvcId } },
    fills: { pvcId: ['input', 'id'] },
    picks: picking({
      kind: 'claim',
      suits: ({ sharedFrom, viewerCanDelete }) => sharedFrom !== null && viewerCanDelete,
      none: 'There is no share that you can remove.',
    }),
  },
  {
    ...LOGGED_IN,
    name: 'ListStorageClasses',
    topic,
    title: 'Classes',
    hint: 'Run this tab to see which kinds of storage the cluster has.',
    query: listStorageClasses,
    variables: {},
  },
  {
    ...LOGGED_IN,
    name: 'DeleteClaim',
    topic,
    title: 'Delete',
    hint: 'Choose a claim and type its name to confirm. Its files are deleted with it.',
    query: deleteClaim,
    variables: { input: { id: pvcId, confirmName: '' } },
    fills: { pvcId: ['input', 'id'], typed: ['input', 'confirmName'] },
    asks: { label: 'Name' },
    picks: picking({
      kind: 'claim',
      suits: ({ sharedFrom, viewerCanDelete }) => sharedFrom === null && viewerCanDelete,
      none,
    }),
  },
];
