// A ready operation: a document with variables that run as they are once the page has filled them in.
import type { PickKind, Pickable } from './picks';
import type { Situation } from '../viewer/situation';

/** What the page knows and fills into the variables: from the viewer's account, or from the answers it has seen. */
export type FactName =
  | 'projectId'
  | 'projectName'
  | 'groupId'
  | 'groupName'
  | 'myId'
  | 'userId'
  | 'username'
  | 'membershipId'
  | 'requestId'
  | 'sessionId'
  | 'pvcId'
  | 'apiTokenId'
  | 'fileSessionId'
  | 'jobId'
  | 'cursor'
  | 'commitId'
  | 'passwordToken'
  /** What is typed into the box of the template. */
  | 'typed';
export type Facts = Partial<Record<FactName, string>>;

export type Path = (string | number)[];

/** A tab as GraphiQL starts with it. */
export interface TabDefinition {
  query: string | null;
  variables?: string | null;
}

/** The groups of ready operations, in the order in which the page shows them. */
export const TOPICS = [
  'Jobs',
  'Requests',
  'Notifications',
  'Projects',
  'Storage',
  'Groups',
  'People',
  'Audit log',
  'Access',
  'Account',
] as const;
export type Topic = (typeof TOPICS)[number];

/** What a permission is asked about: the platform, the viewer's own account, or the group or project chosen above. */
export type Sphere = 'platform' | 'self' | 'group' | 'project';

/** Who may run an operation: everybody, everybody who is logged in, or whom the server's policy allows the action. */
export type Need = 'nothing' | 'login' | { action: string; on: Sphere };

export interface Picking<Kind extends PickKind = PickKind> {
  kind: Kind;
  /** Which of them the operation is for; all of them by default. */
  suits?: (item: Pickable[Kind], situation: Situation) => boolean;
  /** Why there is nothing to pick. */
  none: string;
}

/** A box to type into, for what only the viewer knows; `fills.typed` says where it goes. */
export interface Asking {
  label: string;
  /** What the viewer may mean. */
  suggests?: (situation: Situation) => string[];
}

export interface Template {
  name: string;
  topic: Topic;
  /** What the step does, in the words of the guide. */
  title: string;
  hint: string;
  query: string;
  variables: Record<string, unknown>;
  /** Where a fact goes into the variables, as a path. */
  fills: Partial<Record<FactName, Path>>;
  need: Need;
  /** The object that the operation is for, chosen from a list. */
  picks?: Picking;
  asks?: Asking;
  /** Why it makes no sense right now although it is allowed, such as for an archived project. */
  unfit?: (situation: Situation) => string | null;
}

/** A picking whose kind the compiler knows, for the list of templates, which holds pickings of every kind. */
export function picking<Kind extends PickKind>(picks: Picking<Kind>): Picking {
  return picks as unknown as Picking;
}

export const PLACEHOLDER: Record<FactName, string> = {
  projectId: '<a project ID: filled in when you log in>',
  projectName: '',
  groupId: '<a group ID: filled in when you log in>',
  groupName: '',
  myId: '<your user ID: filled in when you log in>',
  userId: '<a user ID: filled in when you choose somebody>',
  username: '<a username>',
  membershipId: '<a membership ID: filled in when you choose a member>',
  requestId: '<a request ID: filled in when there is a request>',
  sessionId: '<a session ID: filled in when you list sessions>',
  pvcId: '<the ID of a storage claim: filled in when there is one>',
  fileSessionId: '<the ID of a file session: filled in when you open files>',
  apiTokenId: '<the ID of a token: filled in when there is one>',
  jobId: '<a job ID: filled in when you submit a job>',
  cursor: '',
  commitId: '<a commit ID: filled in when you create a config file>',
  passwordToken: '<the token of the one-time link: filled in when this page creates one>',
  typed: '',
};

/** For lists, which are filtered by nothing unless somebody types a filter. */
export const LOGGED_IN = { need: 'login', fills: {} } as const;
export const may = (action: string, on: Sphere): Need => ({ action, on });
