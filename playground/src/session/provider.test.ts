import { expect, test } from 'vitest';
import { returnedIn, startUrl } from './provider';

test('a provider is asked for a code, for this page', () => {
  expect(startUrl('2')).toBe('/auth/oidc/start?provider=2&session=code&return_to=%2F');
});

test('a fragment has a code, a reason, or neither', () => {
  expect(returnedIn('#signInCode=abc')).toEqual({ code: 'abc' });
  expect(returnedIn('#signInError=your+account+is+disabled')).toEqual({ error: 'your account is disabled' });
  expect(returnedIn('#top')).toBeNull();
  expect(returnedIn('')).toBeNull();
});
