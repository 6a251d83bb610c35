// Queries and mutations over HTTP POST.
import type { ExecutionResult } from 'graphql';
import type { Operation } from './resume';

export type Send = (
  operation: Operation,
  token: string | null,
  headers?: Record<string, string>,
) => Promise<ExecutionResult>;

/** A function that posts operations to `endpoint`. A response that is not a GraphQL response is thrown with its status. */
export function httpTransport(endpoint: string): Send {
  return async (operation, token, headers = {}) => {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/graphql-response+json, application/json;q=0.9',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      body: JSON.stringify(operation),
    });
    const body = await response.text();
    try {
      return JSON.parse(body) as ExecutionResult;
    } catch {
      throw new Error(
        `The server responded with ${response.status}: ${body.slice(0, 200) || response.statusText}`,
      );
    }
  };
}
