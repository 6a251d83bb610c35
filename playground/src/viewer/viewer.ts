// Keeps what the viewer has and may do up to date, and what they have chosen to work on.
import { CHOSEN, MINE, REGISTRATION } from '../operations/viewer';
import { chosenFor, type Picked } from '../operations/picks';
import type { Template } from '../operations/template';
import { Store } from '../store';
import type { Send } from '../transport/http';
import {
  mostRightsFirst,
  NOBODY,
  type ApiToken,
  type Claim,
  type Decision,
  type Group,
  type GroupRole,
  type Member,
  type Named,
  type Person,
  type Project,
  type Request,
  type Session,
  type Situation,
} from './situation';

interface Nodes<Item> {
  nodes: Item[];
}

interface MineData {
  registration: Situation['registration'];
  viewer: {
    id: string;
    username: string;
    platformRole: string;
    memberships: Nodes<{ role: GroupRole; group: Named }>;
    sessions: Nodes<Session> | null;
    apiTokens: Nodes<ApiToken> | null;
  } | null;
  groups: Nodes<Group>;
  projects: Nodes<Project>;
  requests: Nodes<Request>;
  pvcs: Nodes<Claim>;
  users: Nodes<Person>;
  notifications: { totalCount: number };
  access: Decision[] | null;
}

interface ChosenData {
  self?: Decision[] | null;
  groupAccess?: Decision[] | null;
  projectAccess?: Decision[] | null;
  group?: { members: Nodes<Member> } | null;
  waiting?: Nodes<Person> | null;
}

interface Wanted {
  groupId?: string | undefined;
  projectId?: string | undefined;
}

/** What to work on: what was chosen if it is still there, or else where the viewer may do most. */
export function choose(
  groups: readonly Group[],
  projects: readonly Project[],
  wanted: Wanted,
): { group: Group | null; project: Project | null } {
  const group = (id: string | undefined) => groups.find((each) => each.id === id);
  const best = (among: readonly Project[]) => {
    const active = among.filter(({ state }) => state === 'ACTIVE');
    const [first] = mostRightsFirst(
      active.length > 0 ? active : among,
      (each) => group(each.group.id)?.viewerRole ?? null,
    );
    return first ?? null;
  };
  const chosen = projects.find(({ id }) => id === wanted.projectId);
  if (chosen) return { group: group(chosen.group.id) ?? null, project: chosen };
  const asked = group(wanted.groupId);
  if (asked) return { group: asked, project: best(projects.filter((each) => each.group.id === asked.id)) };
  const project = best(projects);
  const [most] = mostRightsFirst(groups, ({ viewerRole }) => viewerRole);
  return { group: group(project?.group.id) ?? most ?? null, project };
}

export class Viewer {
  readonly situation = new Store<Situation>(NOBODY);
  readonly picked = new Store<Picked>({});
  /** What was typed into the box of each template, by the template's name. */
  readonly typed = new Store<Readonly<Record<string, string>>>({});
  readonly #send: Send;
  readonly #token: () => Promise<string | null>;
  #wanted: Wanted = {};
  #loading: Promise<void> | null = null;
  #isStale = false;
  /** Counts the log-ins: the answer for somebody who has left must not be shown to the next one. */
  #visit = 0;

  constructor(send: Send, token: () => Promise<string | null>) {
    this.#send = send;
    this.#token = token;
  }

  /** Somebody else is here now, or nobody. */
  arrive(): void {
    this.#visit += 1;
    this.#wanted = {};
    this.situation.set(NOBODY);
    this.picked.set({});
    this.typed.set({});
    void this.reload();
  }

  chooseGroup(groupId: string): void {
    this.#choose({ groupId });
  }

  chooseProject(projectId: string): void {
    this.#choose({ projectId });
  }

  pick(template: string, id: string): void {
    this.picked.update((picked) => ({ ...picked, [template]: id }));
  }

  type(template: string, text: string): void {
    this.typed.update((typed) => ({ ...typed, [template]: text }));
  }

  /** Keeps what a template was run with, so that the next one in the list does not take its place unasked. */
  keep(template: Template): void {
    const chosen = chosenFor(template, this.situation.get(), this.picked.get());
    if (chosen) this.pick(template.name, chosen.id);
  }

  /** Whoever opens a template again goes on with the next one in the list, if what was picked is gone. */
  goOn(template: Template): void {
    if (chosenFor(template, this.situation.get(), this.picked.get())) return;
    this.picked.update((picked) =>
      Object.fromEntries(Object.entries(picked).filter(([name]) => name !== template.name)),
    );
  }

  /** Asks the server again. Who asks while an answer is on its way shares the one after it. */
  reload(): Promise<void> {
    if (this.#loading) {
      this.#isStale = true;
      return this.#loading;
    }
    this.#loading = this.#loadUntilFresh().finally(() => (this.#loading = null));
    return this.#loading;
  }

  #choose(wanted: Wanted): void {
    this.#wanted = wanted;
    const { groups, projects } = this.situation.get();
    const isListed = [...groups, ...projects].some(({ id }) => id === (wanted.projectId ?? wanted.groupId));
    // What was created a moment ago is in the list after the next answer, which also says what may be done with it.
    if (isListed) {
      this.situation.update((now) => ({ ...now, ...choose(groups, projects, wanted), isLoaded: false }));
    }
    void this.reload();
  }

  async #loadUntilFresh(): Promise<void> {
    this.#isStale = false;
    await this.#load().catch(() => undefined);
    if (this.#isAskedAgain()) await this.#loadUntilFresh();
  }

  // Read through a function: somebody may have asked while the answer was on its way.
  #isAskedAgain(): boolean {
    return this.#isStale;
  }

  async #load(): Promise<void> {
    const visit = this.#visit;
    const token = await this.#token();
    const isGone = () => visit !== this.#visit;
    if (token === null) {
      const { data } = await this.#send({ query: REGISTRATION }, null);
      const { registration = null } = (data ?? {}) as Partial<MineData>;
      if (!isGone()) this.situation.set({ ...NOBODY, registration });
      return;
    }
    const { data } = await this.#send({ query: MINE, operationName: 'Mine' }, token);
    const mine = data as MineData | null | undefined;
    if (!mine?.viewer || isGone()) return;
    const { id, username, platformRole, memberships, sessions, apiTokens } = mine.viewer;
    const me = { id, username, isPlatformAdmin: platformRole === 'ADMIN', roles: memberships.nodes };
    const wanted = this.#wanted;
    const { group, project } = choose(mine.groups.nodes, mine.projects.nodes, wanted);
    const variables = {
      me: id,
      group: group?.id ?? '',
      project: project?.id ?? '',
      hasGroup: group !== null,
      hasProject: project !== null,
      isAdmin: me.isPlatformAdmin,
    };
    const answer = await this.#send({ query: CHOSEN, operationName: 'Chosen', variables }, token);
    if (isGone() || this.#wanted !== wanted) return;
    // Work goes on in the same group after its project is deleted.
    this.#wanted = { groupId: group?.id, projectId: project?.id };
    const chosen = (answer.data ?? {}) as ChosenData;
    const waiting = chosen.waiting?.nodes ?? [];
    const others = mine.users.nodes.filter((person) => waiting.every((each) => each.id !== person.id));
    this.situation.set({
      me,
      isLoaded: true,
      registration: mine.registration,
      groups: mine.groups.nodes,
      projects: mine.projects.nodes,
      group,
      project,
      access: {
        platform: mine.access ?? [],
        self: chosen.self ?? [],
        group: chosen.groupAccess ?? [],
        project: chosen.projectAccess ?? [],
      },
      members: chosen.group?.members.nodes ?? [],
      people: [...waiting, ...others],
      requests: mine.requests.nodes,
      sessions: sessions?.nodes ?? [],
      claims: mine.pvcs.nodes,
      apiTokens: apiTokens?.nodes ?? [],
      unread: mine.notifications.totalCount,
    });
  }
}
