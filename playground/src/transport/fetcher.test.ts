// Which operation of a tab's document is run, and how.
import { expect, test } from 'vitest';
import { chosenOperation } from './fetcher';

test('a lone operation is meant, whatever tab the name came from', () => {
  expect(chosenOperation('mutation Submit { submit }', 'LogIn')).toEqual({
    operationName: 'Submit',
    subscription: false,
  });
  expect(chosenOperation('{ viewer { id } }', 'LogIn')).toEqual({
    operationName: undefined,
    subscription: false,
  });
});

test('the name chooses among several', () => {
  const query = 'query Jobs { jobs } subscription Watch { jobEvents }';
  expect(chosenOperation(query, 'Jobs')).toEqual({ operationName: 'Jobs', subscription: false });
  expect(chosenOperation(query, 'Watch')).toEqual({ operationName: 'Watch', subscription: true });
});

test('a document that does not parse goes to the server, which says why', () => {
  expect(chosenOperation('query {', 'Q')).toEqual({ operationName: 'Q', subscription: false });
});
