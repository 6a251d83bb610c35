// What the server tells the page about itself: where the endpoint is, and who can log in on a demo server.

export interface DemoUser {
  username: string;
  password: string;
  role: string;
}

/** A provider that users can sign in with. */
export interface SignInProvider {
  key: string;
  name: string;
}

export interface PlaygroundConfig {
  demoUsers: DemoUser[];
  signInProviders: SignInProvider[];
  endpoint: string;
  websocket: string;
}

const DEFAULTS: PlaygroundConfig = {
  demoUsers: [],
  signInProviders: [],
  endpoint: '/graphql',
  websocket: '/graphql',
};

/** Fills what the answer leaves out. The socket has the endpoint's address unless the server says otherwise. */
export function readConfig(answer: unknown): PlaygroundConfig {
  if (typeof answer !== 'object' || answer === null) return DEFAULTS;
  const given = answer as Partial<PlaygroundConfig>;
  const endpoint = given.endpoint ?? DEFAULTS.endpoint;
  const { demoUsers = [], signInProviders = [], websocket = endpoint } = given;
  return { demoUsers, signInProviders, endpoint, websocket };
}

/** A server without the file (a production server with the playground on) is served with the defaults. */
export async function loadConfig(): Promise<PlaygroundConfig> {
  try {
    const response = await fetch('/playground/config.json', { headers: { accept: 'application/json' } });
    return response.ok ? readConfig(await response.json()) : DEFAULTS;
  } catch {
    return DEFAULTS;
  }
}

/** `/graphql` on an https page is `wss://host/graphql`. */
export function socketUrl(path: string, page: string): string {
  const url = new URL(path, page);
  url.protocol = url.protocol === 'https:' || url.protocol === 'wss:' ? 'wss:' : 'ws:';
  return url.href;
}

/** Who the page suggests first: a manager, who may do all that the ready operations do, rather than an administrator. */
export function suggestedUser(users: readonly DemoUser[]): DemoUser | undefined {
  const first = (role: string) => users.find((user) => user.role.toLowerCase().includes(role));
  return first('manager') ?? first('member') ?? users[0];
}
