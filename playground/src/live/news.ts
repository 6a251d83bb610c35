// Events that are not about a job, in a few words: notifications, requests, the audit log, what a project uses.

export interface News {
  kind: 'news';
  at: string | null;
  what: string;
  /** How it ended, if the event says so. */
  tone: 'good' | 'bad' | 'plain';
  text: string;
  cursor: string | null;
}

type Fields = Record<string, unknown>;
const fields = (value: unknown): Fields | null =>
  typeof value === 'object' && value !== null ? (value as Fields) : null;
const text = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : '';
const words = (name: unknown): string => text(name).toLowerCase().replaceAll('_', ' ');
const joined = (...parts: string[]): string => parts.filter((part) => part !== '').join(' · ');

const TONES: Record<string, News['tone']> = {
  RESOLVED: 'good',
  DONE: 'good',
  REJECTED: 'bad',
  REFUSED: 'bad',
};

/** The event of a feed in words; null if it is of another kind. */
export function newsOf(event: Fields): News | null {
  const cursor = text(event.cursor) || null;
  const news = (rest: Omit<News, 'kind' | 'cursor'>): News => ({ kind: 'news', cursor, ...rest });
  const { notification, request, entry, resources } = event;
  const notified = fields(notification);
  if (notified) {
    return news({
      at: text(notified.createdAt) || null,
      what: words(notified.kind),
      tone: 'plain',
      text: text(notified.message),
    });
  }
  const asked = fields(request);
  if (asked) {
    const messages = fields(asked.messages)?.nodes;
    const last = Array.isArray(messages) ? fields(messages.at(-1)) : null;
    const said = last ? `${text(fields(last.author)?.username)}: ${text(last.text)}` : '';
    return news({
      at: text(event.at) || null,
      what: event.kind === 'STATUS_CHANGED' ? words(event.status) : words(event.kind),
      tone: TONES[text(event.status)] ?? 'plain',
      text: joined(text(asked.title), said),
    });
  }
  const audited = fields(entry);
  if (audited) {
    const about =
      text(fields(audited.project)?.name) || text(fields(audited.group)?.name) || text(audited.subjectId);
    return news({
      at: text(audited.at) || null,
      what: words(audited.outcome),
      tone: TONES[text(audited.outcome)] ?? 'plain',
      text: joined(text(audited.action), text(fields(audited.actor)?.username), about),
    });
  }
  if (Array.isArray(resources)) {
    const lines = resources.map(fields).filter((line) => line !== null);
    const used = lines.map((line) => {
      const limit = line.limit == null ? '' : ` of ${text(line.limit)}`;
      const waits = ['', '0'].includes(text(line.reserved)) ? '' : ` and ${text(line.reserved)} waiting`;
      return `${words(line.resource)} ${text(line.used)}${waits}${limit}`;
    });
    return news({ at: null, what: text(fields(event.project)?.name), tone: 'plain', text: joined(...used) });
  }
  return null;
}
