// What the browser keeps of the tabs and of their history: everything but passwords and one-time tokens.

const SECRETS: ReadonlySet<string> = new Set(['password', 'currentPassword', 'newPassword', 'token']);
const NAMES_A_SECRET = /"(password|currentPassword|newPassword|token)"/;

/** A value without its secrets. Tabs and history hold the variables as a text of their own. */
function cleaned(value: unknown, published: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((each) => cleaned(each, published));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, each]: [string, unknown]) => {
    if (typeof each !== 'string') return [key, cleaned(each, published)];
    if (key === 'variables') return [key, cleanedText(each, published)];
    return [key, SECRETS.has(key) && !published.has(each) ? '' : each];
  });
  return Object.fromEntries(entries) as unknown;
}

/** A text without its secrets, if it is JSON; one that is being typed is not kept if it may hold a secret. */
function cleanedText(text: string, published: ReadonlySet<string>): string {
  try {
    const value: unknown = JSON.parse(text);
    const clean = cleaned(value, published);
    return JSON.stringify(clean) === JSON.stringify(value) ? text : JSON.stringify(clean, null, 2);
  } catch {
    return NAMES_A_SECRET.test(text) ? '' : text;
  }
}

/** The secrets that are none, because the page itself fills them in: passwords of demo users, and examples. */
export function publishedIn(variables: unknown): string[] {
  if (typeof variables !== 'object' || variables === null) return [];
  return Object.entries(variables).flatMap(([key, each]: [string, unknown]) => {
    if (typeof each !== 'string') return publishedIn(each);
    return SECRETS.has(key) ? [each] : [];
  });
}

/** The same storage, but secrets are not written to it. */
export function withoutSecrets<Kept extends Pick<Storage, 'setItem'>>(
  storage: Kept,
  published: readonly string[],
): Kept {
  const known = new Set(published);
  const setItem = (key: string, text: string) => storage.setItem(key, cleanedText(text, known));
  // Its length is a getter, which a copy would lose.
  return Object.assign(Object.create(storage) as Kept, { setItem });
}
