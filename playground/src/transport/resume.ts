// Subscriptions that outlive their socket: after a loss they ask again, `after:` the last cursor they
// delivered, so that nothing is missed and nothing comes twice.
import {
  OperationTypeNode,
  Kind,
  type DocumentNode,
  type FieldNode,
  type OperationDefinitionNode,
  type SelectionNode,
} from 'graphql';
import { afterLoss, type AfterLoss } from './errors';

export interface Operation {
  query: string;
  operationName?: string | undefined;
  variables?: Record<string, unknown> | undefined;
}

/** Where a document carries its cursor: out in `data[field][cursor]`, in as the variable behind `after:`. */
export interface ResumePlan {
  field: string;
  /** Whether the cursor is a place in the event log, as the server's acknowledgement has it, and not in a job's log. */
  ofEvents: boolean;
  cursor: string;
  variable: string;
}

export type Phase = 'connecting' | 'live' | 'reconnecting' | 'ended';

export interface Sink {
  next(result: unknown): void;
  error(error: unknown): void;
  complete(): void;
  /** The server has come to this cursor, and what was before it does not match or was delivered. */
  moved?(cursor: string): void;
}

export interface Follower {
  next(result: unknown): void;
  phase(phase: Phase): void;
  ended(error?: unknown): void;
}

/** Where the event log stood when the socket was acknowledged; null while there is no socket. */
export interface Standing {
  get(): string | null;
  subscribe(listener: () => void): () => void;
}

export interface FollowOptions {
  standing?: Standing;
  subscribe(operation: Operation, sink: Sink): () => void;
  plan: ResumePlan | null;
  /** Renews the session; false means that the viewer has to log in again. */
  renew(): Promise<boolean>;
  wait(milliseconds: number): Promise<void>;
}

/** The subscription that would run, if the document has one. */
export function subscriptionIn(
  document: DocumentNode,
  operationName?: string,
): OperationDefinitionNode | undefined {
  return document.definitions
    .filter((node) => node.kind === Kind.OPERATION_DEFINITION)
    .filter((node) => !operationName || node.name?.value === operationName)
    .find((node) => node.operation === OperationTypeNode.SUBSCRIPTION);
}

const field = (node: SelectionNode): node is FieldNode => node.kind === Kind.FIELD;

/** Null when the document takes no cursor in, or selects none: then a loss may lose events, and the page says so. */
export function resumePlan(operation: OperationDefinitionNode): ResumePlan | null {
  const root = operation.selectionSet.selections.find(field);
  const after = root?.arguments?.find((argument) => argument.name.value === 'after')?.value;
  const cursor = root?.selectionSet?.selections.filter(field).find((each) => each.name.value === 'cursor');
  if (!root || !cursor || after?.kind !== Kind.VARIABLE) return null;
  return {
    field: (root.alias ?? root.name).value,
    ofEvents: root.name.value.endsWith('Events'),
    cursor: (cursor.alias ?? cursor.name).value,
    variable: after.name.value,
  };
}

/** Whether each item is a whole state, so that one that is lost is made up for by the next. */
export function isOfStates(operation: OperationDefinitionNode): boolean {
  const root = operation.selectionSet.selections.find(field);
  return root?.name.value === 'quotaUsage';
}

export function cursorOf(plan: ResumePlan, result: unknown): string | undefined {
  const data = (result as { data?: Record<string, Record<string, unknown> | null> | null }).data;
  const cursor = data?.[plan.field]?.[plan.cursor];
  return typeof cursor === 'string' ? cursor : undefined;
}

/** 0.3 s, 0.6 s, 1.2 s … up to 10 s, spread by `random` so that a thousand pages do not return at once. */
export function backoff(attempt: number, random = Math.random()): number {
  const ceiling = Math.min(10_000, 300 * 2 ** attempt);
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}

/** Follows a subscription until it completes, fails for good, or the returned function is called. */
export function follow(operation: Operation, options: FollowOptions, follower: Follower): () => void {
  let stopped = false;
  let unsubscribe: () => void = () => undefined;
  let attempt = 0;
  let renewals = 0;
  let cursor: string | undefined;

  // A subscription from now on that is lost before its first event goes on from where its first socket began.
  const asked = options.plan ? operation.variables?.[options.plan.variable] : undefined;
  const begin = () => {
    const stood = options.plan?.ofEvents && asked == null ? options.standing?.get() : undefined;
    if (stood == null) return;
    cursor ??= stood;
    forgetStanding();
  };
  let forgetStanding: () => void = () => undefined;

  const end = (error?: unknown) => {
    if (stopped) return;
    stopped = true;
    forgetStanding();
    follower.phase('ended');
    follower.ended(error);
  };

  const dial = () => {
    const variables =
      options.plan && cursor !== undefined
        ? { ...operation.variables, [options.plan.variable]: cursor }
        : operation.variables;
    unsubscribe = options.subscribe(
      { ...operation, variables },
      {
        next(result) {
          if (stopped) return;
          forgetStanding();
          attempt = 0;
          renewals = 0;
          cursor = (options.plan && cursorOf(options.plan, result)) ?? cursor;
          follower.phase('live');
          follower.next(result);
        },
        error: (error) => void retry(error),
        complete: () => end(),
        moved(reached) {
          if (stopped) return;
          forgetStanding();
          cursor = reached;
        },
      },
    );
  };

  const retry = async (error: unknown) => {
    if (stopped) return;
    const verdict: AfterLoss = afterLoss(error);
    if (verdict === 'end') {
      end(error);
      return;
    }
    follower.phase('reconnecting');
    if (verdict === 'renew') {
      renewals += 1;
      if (renewals > 1 || !(await options.renew())) {
        end(error);
        return;
      }
    } else {
      await options.wait(backoff(attempt));
      attempt += 1;
    }
    // Read through a function: `stopped` may have changed while we waited.
    if (!isStopped()) dial();
  };
  const isStopped = () => stopped;

  follower.phase('connecting');
  dial();
  forgetStanding = options.standing?.subscribe(begin) ?? forgetStanding;
  begin();
  return () => {
    if (stopped) return;
    stopped = true;
    forgetStanding();
    unsubscribe();
    follower.phase('ended');
  };
}
