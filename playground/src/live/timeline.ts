// What a feed's events say: the life of each job, lines of a log, or plain data.
import type { FeedEvent } from './feeds';
import { newsOf, type News } from './news';

export type JobPhase = 'SUBMITTED' | 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';

export interface PhaseStep {
  phase: string;
  at: string;
}

export interface JobLife {
  id: string;
  name: string;
  steps: PhaseStep[];
  phase: string;
  /** Why it is in this phase, or why it waits. */
  because: string | null;
}

export type EventView =
  | {
      kind: 'job';
      at: string;
      what: string;
      phase: string;
      because: string | null;
      cursor: string | null;
      job: string;
    }
  | { kind: 'log'; lines: string[]; task: string | null; end: string | null }
  | News
  | { kind: 'error'; text: string }
  | { kind: 'data'; text: string };

type Fields = Record<string, unknown>;
const fieldsOf = (value: unknown): Fields | null =>
  typeof value === 'object' && value !== null ? (value as Fields) : null;
const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

const TERMINAL: ReadonlySet<string> = new Set(['SUCCEEDED', 'FAILED', 'CANCELLED']);
export const isTerminal = (phase: string): boolean => TERMINAL.has(phase);

function payload(result: unknown): Fields | null {
  return fieldsOf(Object.values(fieldsOf(fieldsOf(result)?.data) ?? {})[0]);
}

const because = (event: Fields): string | null =>
  [text(event.reason), text(event.message) ?? text(fieldsOf(event.job)?.pendingReason)]
    .filter((part) => part !== null)
    .join(': ') || null;

export function viewOf(result: unknown): EventView {
  const event = payload(result);
  const errors = fieldsOf(result)?.errors;
  if (event === null) {
    return Array.isArray(errors)
      ? { kind: 'error', text: JSON.stringify(errors) }
      : { kind: 'data', text: JSON.stringify(result) };
  }
  const phase = text(event.phase);
  if (phase !== null && event.at !== undefined) {
    const job = fieldsOf(event.job);
    return {
      kind: 'job',
      at: text(event.at) ?? '',
      what: text(event.kind) ?? 'PHASE',
      phase,
      because: because(event),
      cursor: text(event.cursor),
      job: text(job?.name) ?? text(job?.id) ?? '',
    };
  }
  const line = text(event.text) ?? text(event.line);
  const lines = Array.isArray(event.lines) ? event.lines.map(lineText) : line === null ? null : [line];
  if (lines !== null) {
    return {
      kind: 'log',
      lines,
      task: event.task == null ? null : lineText(event.task),
      end: text(event.end),
    };
  }
  return newsOf(event) ?? { kind: 'data', text: JSON.stringify(event) };
}

/** A log line is a string, or an object that carries one. */
function lineText(line: unknown): string {
  if (typeof line === 'string' || typeof line === 'number') return String(line);
  const fields = fieldsOf(line);
  return text(fields?.text) ?? text(fields?.message) ?? text(fields?.line) ?? JSON.stringify(line);
}

/** Each job of the feed with the phases it went through, the job that changed last first. */
export function lives(events: readonly FeedEvent[]): JobLife[] {
  const byJob = new Map<string, JobLife>();
  for (const { result } of events) {
    const event = payload(result);
    const job = fieldsOf(event?.job);
    const phase = text(event?.phase);
    const id = text(job?.id);
    if (!event || phase === null || id === null) continue;
    const before = byJob.get(id);
    const at = text(event.at) ?? '';
    const steps = before?.steps ?? [];
    const changed = steps.at(-1)?.phase !== phase;
    byJob.delete(id);
    byJob.set(id, {
      id,
      name: text(job?.name) ?? id,
      steps: changed ? [...steps, { phase, at }] : steps,
      phase,
      because: because(event),
    });
  }
  return [...byJob.values()].reverse();
}

const ORDER: readonly JobPhase[] = ['SUBMITTED', 'QUEUED', 'RUNNING', 'SUCCEEDED'];

/** The phases still to come if all goes well, for the track to show ahead. */
export function ahead(life: JobLife): JobPhase[] {
  if (isTerminal(life.phase)) return [];
  return ORDER.slice(ORDER.indexOf(life.phase as JobPhase) + 1);
}
