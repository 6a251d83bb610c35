// What the viewer has and may do: their groups, projects, requests and people, and the decisions of the server's policy.

export interface Named {
  id: string;
  name: string;
}

export type GroupRole = 'ADMIN' | 'MANAGER' | 'MEMBER';

export interface Group extends Named {
  viewerRole: GroupRole | null;
}

export interface Project extends Named {
  state: 'ACTIVE' | 'ARCHIVED';
  group: Named;
}

export interface Member {
  id: string;
  role: GroupRole;
  user: { id: string; username: string };
  viewerCanSetRole: boolean;
  viewerCanRemove: boolean;
}

export interface Person {
  id: string;
  username: string;
  /** Null if only the user and platform admins can see it. */
  state: string | null;
  viewerCanEnable: boolean;
  viewerCanDisable: boolean;
  viewerCanDelete: boolean;
}

export interface Request {
  id: string;
  title: string;
  status: string;
  author: { username: string };
  viewerCanResolve: boolean;
}

export interface Session {
  id: string;
  device: string | null;
  address: string | null;
  isCurrent: boolean;
}

export interface Claim extends Named {
  /** Whose it is: one of the three is there. */
  user: { username: string } | null;
  group: { name: string } | null;
  project: { name: string } | null;
  sharedFrom: { id: string } | null;
  viewerAccess: 'NONE' | 'READ' | 'WRITE';
  viewerCanResize: boolean;
  viewerCanSetPermissions: boolean;
  viewerCanDelete: boolean;
}

export type ApiToken = Named;

/** A decision of the permission policy about the viewer, with the rule that decided. */
export interface Decision {
  action: string;
  allowed: boolean;
  rule: string;
}

export interface Access {
  platform: Decision[];
  self: Decision[];
  group: Decision[];
  project: Decision[];
}

export interface Me {
  id: string;
  username: string;
  isPlatformAdmin: boolean;
  roles: { role: GroupRole; group: Named }[];
}

export interface Situation {
  /** Null for somebody who is not logged in. */
  me: Me | null;
  /** Whether the server has answered all that is below. */
  isLoaded: boolean;
  registration: 'OPEN' | 'APPROVAL' | 'CLOSED' | null;
  groups: Group[];
  projects: Project[];
  /** The chosen group and project, which ready operations are about. */
  group: Group | null;
  project: Project | null;
  access: Access;
  members: Member[];
  people: Person[];
  requests: Request[];
  sessions: Session[];
  claims: Claim[];
  apiTokens: ApiToken[];
  unread: number;
}

export const NOBODY: Situation = {
  me: null,
  isLoaded: false,
  registration: null,
  groups: [],
  projects: [],
  group: null,
  project: null,
  access: { platform: [], self: [], group: [], project: [] },
  members: [],
  people: [],
  requests: [],
  sessions: [],
  claims: [],
  apiTokens: [],
  unread: 0,
};

/** What the policy says; undefined if it says nothing about this action there. */
export function decision(situation: Situation, on: keyof Access, action: string): Decision | undefined {
  return situation.access[on].find((each) => each.action === action);
}

/** The viewer's role in a group; null if they are not in it. */
export function roleIn(situation: Situation, group: string | undefined): GroupRole | null {
  return situation.groups.find(({ id }) => id === group)?.viewerRole ?? null;
}

const NAMED_ROLES = 2;

/** Who the viewer is, in a few words: `manager of vision, member of language`. */
export function rolesInWords(me: Me): string {
  const named = [
    ...(me.isPlatformAdmin ? ['platform admin'] : []),
    ...mostRightsFirst(me.roles, ({ role }) => role).map(
      ({ role, group }) => `${role.toLowerCase()} of ${group.name}`,
    ),
  ];
  if (named.length === 0) return 'in no group yet';
  const rest = named.length - NAMED_ROLES;
  return named.slice(0, NAMED_ROLES).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

const ROLES: readonly (GroupRole | null)[] = ['ADMIN', 'MANAGER', 'MEMBER', null];

/** The viewer's groups or projects, first those in which they may do most. */
export function mostRightsFirst<Item>(
  items: readonly Item[],
  roleOf: (item: Item) => GroupRole | null,
): Item[] {
  const rank = (item: Item) => ROLES.indexOf(roleOf(item));
  return [...items].sort((one, other) => rank(one) - rank(other));
}
