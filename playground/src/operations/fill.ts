// Fills what the page knows (a project, a member, the last job, its cursor) into a tab's variables.
import type { Situation } from '../viewer/situation';
import { chosenFor, type Picked } from './picks';
import type { FactName, Facts, Path, Template } from './template';

/** The value with `fact` at `path`; objects and arrays on the way are made when they are missing. */
function withValue(value: unknown, path: Path, fact: string): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return fact;
  if (typeof key === 'number') {
    const list: unknown[] = Array.isArray(value) ? [...(value as unknown[])] : [];
    list[key] = withValue(list[key], rest, fact);
    return list;
  }
  const record =
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : {};
  return { ...record, [key]: withValue(record[key], rest, fact) };
}

export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (at, key) => (at as Record<string | number, unknown> | null | undefined)?.[key],
    value,
  );
}

/**
 * The text of a tab's variables with the facts in it, or null when nothing changes: variables that do not
 * parse are being edited, and what a person typed elsewhere in them stays.
 */
export function fill(template: Pick<Template, 'fills'>, variables: string, facts: Facts): string | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(variables.trim() === '' ? '{}' : variables);
  } catch {
    return null;
  }
  let filled = parsed;
  for (const [name, path] of Object.entries(template.fills) as [FactName, Path][]) {
    const fact = facts[name];
    if (fact !== undefined && valueAt(filled, path) !== fact) filled = withValue(filled, path, fact);
  }
  return filled === parsed ? null : JSON.stringify(filled, null, 2);
}

/** What the viewer has entered beside the tabs, by the template's name. */
export interface Entered {
  picked: Picked;
  typed: Readonly<Record<string, string>>;
}

/** What is filled into a template: what answers taught, what is chosen above, and what is picked or typed for it. */
export function factsFor(
  template: Template,
  situation: Situation,
  learnt: Facts,
  { picked, typed }: Entered,
): Facts {
  const own = typed[template.name];
  const { me, group, project } = situation;
  return {
    ...learnt,
    ...(me && { myId: me.id }),
    ...(group && { groupId: group.id, groupName: group.name }),
    ...(project && { projectId: project.id, projectName: project.name }),
    ...chosenFor(template, situation, picked)?.facts,
    ...(own !== undefined && { typed: own }),
  };
}
