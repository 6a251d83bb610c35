// Errors as the page shows them: code, field and request id, wherever they came from.

export interface Problem {
  message: string;
  code?: string;
  field?: string;
  requestId?: string;
  retryable: boolean;
}

interface ErrorLike {
  message?: unknown;
  extensions?: Record<string, unknown>;
}

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

function fromGraphQL(error: ErrorLike): Problem {
  const extensions = error.extensions ?? {};
  return {
    message: text(error.message) ?? 'Unknown error',
    code: text(extensions.code),
    field: text(extensions.field),
    requestId: text(extensions.requestId),
    retryable: extensions.retryable === true,
  };
}

const isCloseEvent = (error: unknown): error is { code: number; reason?: string } =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'number';

/** Everything that GraphQL, fetch or a socket can throw at us, as problems to show. */
export function toProblems(error: unknown): Problem[] {
  if (Array.isArray(error)) return error.map((each) => fromGraphQL(each as ErrorLike));
  if (isCloseEvent(error)) {
    const reason = error.reason ? `: ${error.reason}` : '';
    return [
      {
        message: `The WebSocket was closed with code ${error.code}${reason}`,
        code: `SOCKET_${error.code}`,
        retryable: true,
      },
    ];
  }
  if (error instanceof Error) return [{ message: error.message, retryable: true }];
  if (typeof error === 'object' && error !== null && 'message' in error) return [fromGraphQL(error)];
  return [{ message: 'The connection was lost', code: 'SOCKET_LOST', retryable: true }];
}

/** The errors in an execution result, if it has any. */
export function problemsOf(result: unknown): Problem[] {
  if (typeof result !== 'object' || result === null) return [];
  const errors = (result as { errors?: unknown }).errors;
  return Array.isArray(errors) && errors.length > 0 ? toProblems(errors) : [];
}

export type AfterLoss = 'reconnect' | 'renew' | 'end';

// Codes of graphql-transport-ws that say "this client is wrong": the same message again would be as wrong.
const FATAL = new Set([4004, 4005, 4400, 4406, 4409, 4429]);
const UNAUTHORIZED = new Set([4401, 4403]);

/** What to do when a subscription ended with an error: dial again, renew the session first, or give up. */
export function afterLoss(error: unknown): AfterLoss {
  if (isCloseEvent(error)) {
    if (UNAUTHORIZED.has(error.code)) return 'renew';
    return FATAL.has(error.code) ? 'end' : 'reconnect';
  }
  if (Array.isArray(error)) {
    const problems = toProblems(error);
    if (problems.some((problem) => problem.code === 'UNAUTHENTICATED')) return 'renew';
    return problems.every((problem) => problem.code === 'SLOW_CONSUMER' || problem.retryable)
      ? 'reconnect'
      : 'end';
  }
  return 'reconnect';
}
