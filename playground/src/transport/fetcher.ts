// GraphiQL's way to the server: HTTP with the session's token, subscriptions through the live feeds.
import type { Fetcher, FetcherOpts, Observable } from '@graphiql/toolkit';
import { Kind, OperationTypeNode, parse, type ExecutionResult } from 'graphql';
import type { Feeds } from '../live/feeds';
import type { SessionKeeper } from '../session/session';
import { Store } from '../store';
import { problemsOf, toProblems, type Problem } from './errors';
import type { Send } from './http';
import type { Operation } from './resume';

export interface FetcherParts {
  send: Send;
  session: SessionKeeper;
  feeds: Feeds;
  problems: Store<Problem[]>;
  /** The tab that is open: a feed outlives the tab it was started from, but not its stop button. */
  activeTab: () => string | undefined;
  onAnswer(result: ExecutionResult, operation: Operation): void;
}

export function playgroundFetcher(parts: FetcherParts): Fetcher {
  return (params, options) => {
    const { operationName, subscription } = chosenOperation(params.query, params.operationName ?? undefined);
    const operation: Operation = {
      query: params.query,
      operationName,
      variables: (params.variables as Record<string, unknown> | null | undefined) ?? undefined,
    };
    if (!subscription) return request(parts, operation, headersOf(options));
    // GraphiQL subscribes with an observer object only; its type also lists the form with three functions.
    return subscribe(parts, operation) as unknown as Observable<ExecutionResult<Record<string, unknown>>>;
  };
}

/**
 * The operation that is meant. GraphiQL learns the names in a document a moment after it is shown: who runs a
 * tab as soon as it opens would send the last tab's name, so a lone operation is meant whatever the name.
 */
export function chosenOperation(
  query: string,
  operationName?: string,
): { operationName?: string | undefined; subscription: boolean } {
  try {
    const operations = parse(query).definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION);
    const only = operations.length === 1 ? operations[0] : undefined;
    const chosen = only ?? operations.find((operation) => operation.name?.value === operationName);
    return {
      operationName: only ? only.name?.value : operationName,
      subscription: chosen?.operation === OperationTypeNode.SUBSCRIPTION,
    };
  } catch {
    // The server says what is wrong with the document.
    return { operationName, subscription: false };
  }
}

function headersOf(options?: FetcherOpts): Record<string, string> {
  return options?.headers ?? {};
}

async function request(
  parts: FetcherParts,
  operation: Operation,
  headers: Record<string, string>,
): Promise<ExecutionResult> {
  const introspection = operation.operationName === 'IntrospectionQuery';
  try {
    const token = await parts.session.token();
    let result = await parts.send(operation, token, headers);
    const unauthenticated = problemsOf(result).some((problem) => problem.code === 'UNAUTHENTICATED');
    if (unauthenticated && token !== null && (await parts.session.renew())) {
      result = await parts.send(operation, await parts.session.token(), headers);
    }
    if (!introspection) {
      parts.problems.set(problemsOf(result));
      parts.session.adopt(result);
      parts.onAnswer(result, operation);
    }
    return result;
  } catch (error) {
    parts.problems.set(toProblems(error));
    throw error;
  }
}

function subscribe({ feeds, activeTab, problems }: FetcherParts, operation: Operation) {
  problems.set([]);
  return {
    subscribe(observer: {
      next(result: ExecutionResult): void;
      error(error: unknown): void;
      complete(): void;
    }) {
      const startedIn = activeTab();
      let listening = true;
      const id = feeds.open(operation, {
        next: (result) => listening && observer.next(result as ExecutionResult),
        ended: (error) => {
          if (!listening) return;
          if (error === undefined) observer.complete();
          else observer.error(error);
        },
      });
      return {
        unsubscribe: () => {
          listening = false;
          // GraphiQL also unsubscribes when another tab is opened; by then the open tab has changed.
          setTimeout(() => {
            if (activeTab() === startedIn) feeds.stop(id);
          });
        },
      };
    },
  };
}
