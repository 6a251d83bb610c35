// Fills what the page has learnt (a project, the last job, its cursor, a commit) into a tab's variables.
import type { Facts, FactName, Template } from './templates';

type Path = (string | number)[];

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

interface SubmitAnswer {
  data?: {
    submitJob?: {
      job?: {
        id?: string;
        name?: string;
        events?: { nodes?: { cursor?: string; at?: string; phase?: string }[] };
      } | null;
    } | null;
    createConfigFile?: { commit?: { id?: string } | null } | null;
  } | null;
}

/** What an answer teaches the page: a job submitted, a commit created. */
export function factsIn(result: unknown): Facts {
  const data = (result as SubmitAnswer | null)?.data;
  const job = data?.submitJob?.job;
  const commit = data?.createConfigFile?.commit?.id;
  const facts: Facts = {};
  if (job?.id !== undefined) {
    facts.jobId = job.id;
    facts.cursor = job.events?.nodes?.[0]?.cursor;
  }
  if (commit !== undefined) facts.commitId = commit;
  return facts;
}
