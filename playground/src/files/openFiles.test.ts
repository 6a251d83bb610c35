// What happens to the tab that shows the files of a claim.
import type { ExecutionResult } from 'graphql';
import { expect, test } from 'vitest';
import type { Operation } from '../transport/resume';
import { openFiles } from './openFiles';

function attempt(answer: ExecutionResult | Error, isBlocked = false) {
  const seen: string[] = [];
  const tab = {
    opener: 'this page',
    location: { replace: (url: string) => seen.push(`shows ${url}`) },
    close: () => seen.push('closed'),
  };
  const send = ({ variables }: Operation) => {
    seen.push(`asks for ${JSON.stringify(variables)}`);
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  const open = () => {
    seen.push('opens');
    return isBlocked ? null : tab;
  };
  const refusal = openFiles('pvc_1', { send, token: () => Promise.resolve('token'), open });
  return { refusal, seen, tab };
}

const at = (url: string | null) => ({ data: { openFiles: { fileSession: { url } } } });

test('the files are shown in a tab that was opened at once, and does not know this page', async () => {
  const { refusal, seen, tab } = attempt(at('/files/abc/'));
  expect(await refusal).toBeNull();
  expect(seen).toEqual(['opens', 'asks for {"input":{"claimId":"pvc_1"}}', 'shows /files/abc/']);
  expect(tab.opener).toBeNull();
});

test('a refusal closes the tab, and is told', async () => {
  const errors = [{ message: 'you have no access to this storage claim' }];
  const { refusal, seen } = attempt({ data: { openFiles: null }, errors } as unknown as ExecutionResult);
  expect(await refusal).toBe('you have no access to this storage claim');
  expect(seen.at(-1)).toBe('closed');
});

test('another address than one of files is not opened', async () => {
  const { refusal, seen } = attempt(at('https://elsewhere.example.com/'));
  expect(await refusal).toBe('The server did not say where the files are.');
  expect(seen.at(-1)).toBe('closed');
});

test('a server that is away closes the tab, and a browser without tabs is not asked for more', async () => {
  expect(await attempt(new Error('Failed to fetch')).refusal).toBe('Failed to fetch');
  const blocked = attempt(at('/files/abc/'), true);
  expect(await blocked.refusal).toBe('The browser does not let this page open a tab.');
  expect(blocked.seen).toEqual(['opens']);
});
