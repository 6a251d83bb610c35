// Whether an operation makes sense for the viewer, as the server's policy decides, and if not, why.
import { decision, roleIn, type Situation } from '../viewer/situation';
import { choicesFor } from './picks';
import type { Sphere, Template, Topic } from './template';

export type Lock =
  /** The policy does not allow it, or it needs a login. */
  | { kind: 'refused'; reason: string }
  /** It is allowed, but there is nothing to do. */
  | { kind: 'unfit'; reason: string };

const refused = (reason: string): Lock => ({ kind: 'refused', reason });
const unfit = (reason: string): Lock => ({ kind: 'unfit', reason });

/** What is missing if the viewer has no group or no project at all. */
function missing(situation: Situation): Lock {
  if (situation.groups.length > 0) {
    return unfit('There is no project yet. Managers and admins of a group can create one under Projects.');
  }
  return situation.me?.isPlatformAdmin
    ? unfit('There is no group yet: create one under Groups.')
    : refused('You are not a member of any group yet. Ask for a role in one under Requests.');
}

function whoYouAre(situation: Situation, on: Sphere): string {
  if (on === 'platform' || on === 'self') return '';
  const group = on === 'group' ? situation.group : situation.project?.group;
  const role = roleIn(situation, group?.id);
  if (!group || !role) return '';
  return ` You are ${role === 'ADMIN' ? 'an admin' : `a ${role.toLowerCase()}`} of ${group.name}.`;
}

/** Why the viewer cannot run the template now; null if they can. */
export function lockOf(template: Template, situation: Situation): Lock | null {
  const { need, picks } = template;
  if (need === 'nothing') {
    const reason = template.unfit?.(situation) ?? null;
    return reason === null ? null : unfit(reason);
  }
  if (situation.me === null) return refused('Log in first.');
  // Until the server has said what the viewer may do, nothing is locked: the server decides in any case.
  if (!situation.isLoaded) return null;
  if (need !== 'login') {
    const isOn = (need.on !== 'group' && need.on !== 'project') || situation[need.on] !== null;
    if (!isOn) {
      const isFilled = template.fills.groupId !== undefined || template.fills.projectId !== undefined;
      if (isFilled || !situation.me.isPlatformAdmin) return missing(situation);
    } else {
      const decided = decision(situation, need.on, need.action);
      if (decided?.allowed === false) return refused(decided.rule + whoYouAre(situation, need.on));
    }
  }
  const reason = template.unfit?.(situation) ?? null;
  if (reason !== null) return unfit(reason);
  return picks && choicesFor(picks, situation).length === 0 ? unfit(picks.none) : null;
}

/** Whether nothing of a topic is for the viewer. */
export function isTopicLocked(templates: readonly Template[], topic: Topic, situation: Situation): boolean {
  const own = templates.filter((template) => template.topic === topic);
  return own.every((template) => lockOf(template, situation)?.kind === 'refused');
}
