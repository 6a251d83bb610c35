// The objects that an operation is for: what a viewer can choose from, and what is chosen at first.
import type { ApiToken, Claim, Member, Person, Request, Session, Situation } from '../viewer/situation';
import type { Facts, Picking, Template } from './template';

/** What can be picked, by kind. */
export interface Pickable {
  person: Person;
  member: Member;
  request: Request;
  session: Session;
  claim: Claim;
  apiToken: ApiToken;
}
export type PickKind = keyof Pickable;

export interface Choice {
  id: string;
  label: string;
  facts: Facts;
}

/** What was picked for each template, by the template's name. It stays until somebody picks another one. */
export type Picked = Readonly<Record<string, string>>;

/** Whose storage it is. */
const whose = ({ project, group, user }: Claim) =>
  user !== null ? `drive of ${user.username}` : (project?.name ?? group?.name ?? 'nobody');

const words = (name: string) => name.toLowerCase().replaceAll('_', ' ');

const CHOICES: { [Kind in PickKind]: (situation: Situation) => { item: Pickable[Kind]; choice: Choice }[] } =
  {
    person: ({ people }) =>
      people.map((item) => ({
        item,
        choice: {
          id: item.id,
          label:
            item.state === null || item.state === 'ACTIVE'
              ? item.username
              : `${item.username} (${words(item.state)})`,
          facts: { userId: item.id, username: item.username },
        },
      })),
    member: ({ members }) =>
      members.map((item) => ({
        item,
        choice: {
          id: item.id,
          label: `${item.user.username} (${words(item.role)})`,
          facts: { membershipId: item.id, userId: item.user.id, username: item.user.username },
        },
      })),
    request: ({ requests }) =>
      requests.map((item) => ({
        item,
        choice: {
          id: item.id,
          label: `${item.title} (${item.author.username}, ${words(item.status)})`,
          facts: { requestId: item.id },
        },
      })),
    session: ({ sessions }) =>
      sessions.map((item) => ({
        item,
        choice: {
          id: item.id,
          label: [item.device ?? 'unknown device', item.address].filter((part) => part !== null).join(', '),
          facts: { sessionId: item.id },
        },
      })),
    claim: ({ claims }) =>
      claims.map((item) => ({
        item,
        choice: { id: item.id, label: `${item.name} (${whose(item)})`, facts: { pvcId: item.id } },
      })),
    apiToken: ({ apiTokens }) =>
      apiTokens.map((item) => ({
        item,
        choice: { id: item.id, label: item.name, facts: { apiTokenId: item.id } },
      })),
  };

export const PICK_LABEL: Record<PickKind, string> = {
  person: 'Person',
  member: 'Member',
  request: 'Request',
  session: 'Session',
  claim: 'Claim',
  apiToken: 'Token',
};

/** What the viewer can choose from for a template. */
export function choicesFor(picks: Picking, situation: Situation): Choice[] {
  const all: { item: Pickable[PickKind]; choice: Choice }[] = CHOICES[picks.kind](situation);
  return all
    .filter(({ item }) => picks.suits?.(item as never, situation) ?? true)
    .map(({ choice }) => choice);
}

/**
 * The choice for a template: what was picked, or the first one if nothing was. Once what was picked is gone, because the
 * operation removed it, nothing takes its place: pressing the button again must not remove somebody else.
 */
export function chosenFor(template: Template, situation: Situation, picked: Picked): Choice | undefined {
  if (!template.picks) return undefined;
  const choices = choicesFor(template.picks, situation);
  const id = picked[template.name];
  return id === undefined ? choices[0] : choices.find((choice) => choice.id === id);
}
