// The ready operations fit the schema, and are filled in without harm to what a person typed.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  buildSchema,
  coerceInputValue,
  isEnumType,
  Kind,
  parse,
  typeFromAST,
  validate,
  type GraphQLInputType,
} from 'graphql';
import { describe, expect, test } from 'vitest';
import { fill, valueAt } from './fill';
import { factsIn } from './learn';
import { OPEN_FILES } from '../files/openFiles';
import { COMPLETE_SIGN_IN, LOG_IN, LOG_OUT, RENEW } from './session';
import { PLACEHOLDER, TOPICS, type FactName, type Path } from './template';
import { templates } from './templates';
import { CHOSEN, MINE, NEWS, REGISTRATION } from './viewer';

const schema = buildSchema(readFileSync(resolve(import.meta.dirname, '../../../schema.graphql'), 'utf8'));
const ready = templates({ username: 'mia', password: 'mia-demo', role: 'MEMBER' });
const FACTS = Object.fromEntries(Object.keys(PLACEHOLDER).map((name) => [name, `${name}_1`])) as Record<
  FactName,
  string
>;

describe.each(ready.map((template) => [template.name, template] as const))('%s', (name, template) => {
  test('is valid', () => {
    expect(validate(schema, parse(template.query))).toEqual([]);
  });

  test('has variables of the right types, and no others', () => {
    const operation = parse(template.query).definitions[0];
    if (operation?.kind !== Kind.OPERATION_DEFINITION) throw new Error('not an operation');
    const text = JSON.stringify(template.variables);
    const variables = JSON.parse(fill(template, text, FACTS) ?? text) as Record<string, unknown>;
    const problems: string[] = [];
    const definitions = operation.variableDefinitions ?? [];
    for (const { variable, type } of definitions) {
      const value = variables[variable.name.value];
      const expected = typeFromAST(schema, type as never) as GraphQLInputType;
      if (value !== undefined)
        coerceInputValue(value, expected, (path, _, error) =>
          problems.push(`${path.join('.')}: ${error.message}`),
        );
    }
    expect(problems).toEqual([]);
    const known = definitions.map(({ variable }) => variable.name.value);
    expect(Object.keys(variables).filter((each) => !known.includes(each))).toEqual([]);
  });

  test('is named as its tab', () => {
    expect(template.query).toMatch(new RegExp(`^(query|mutation|subscription) ${name}\\b`, 'm'));
  });

  test('has no placeholder left once all is known', () => {
    const text = JSON.stringify(template.variables);
    expect(fill(template, text, FACTS) ?? text).not.toContain('filled in when');
  });

  test('says what is missing until it is known', () => {
    const paths = Object.entries(template.fills) as [FactName, Path][];
    for (const [fact, path] of paths) {
      // The box has an example, or what is filled in if nothing is typed.
      if (fact === 'typed') continue;
      expect(valueAt(template.variables, path) ?? '', fact).toBe(PLACEHOLDER[fact]);
    }
  });

  test('has a box for what is typed, and a place for it', () => {
    expect(template.fills.typed !== undefined).toBe(template.asks !== undefined);
  });

  test('needs an action that the policy has', () => {
    const actions = schema.getType('PolicyAction');
    if (typeof template.need === 'string' || !isEnumType(actions)) return;
    expect(actions.getValue(template.need.action)).toBeDefined();
  });

  test('belongs to a topic, where no other step has its title', () => {
    expect(TOPICS).toContain(template.topic);
    const same = ready.filter(({ topic, title }) => topic === template.topic && title === template.title);
    expect(same).toHaveLength(1);
  });
});

test('no two tabs have the same name', () => {
  expect(new Set(ready.map(({ name }) => name)).size).toBe(ready.length);
});

test.each([
  ['log in', LOG_IN],
  ['sign in with a provider', COMPLETE_SIGN_IN],
  ['renew', RENEW],
  ['log out', LOG_OUT],
  ['how to register', REGISTRATION],
  ['what the viewer has', MINE],
  ['what is chosen', CHOSEN],
  ['open files', OPEN_FILES],
  ['what notifies in the background', NEWS[0]],
  ['what tells of requests in the background', NEWS[1]],
])('what the page itself asks is valid: %s', (_, query) => {
  expect(validate(schema, parse(query))).toEqual([]);
});

describe('filling in', () => {
  const template = { fills: { jobId: ['filter', 'jobIds', 0], cursor: ['after'] } };

  test('keeps what a person typed', () => {
    expect(fill(template, '{"filter": {"mine": true}, "extra": 1}', { jobId: 'job_1' })).toBe(
      JSON.stringify({ filter: { mine: true, jobIds: ['job_1'] }, extra: 1 }, null, 2),
    );
  });

  test('changes nothing when the facts are there already', () => {
    expect(fill(template, '{"after": "c1"}', { cursor: 'c1' })).toBeNull();
  });

  test('leaves variables alone that are being typed', () => {
    expect(fill(template, '{"after": ', { cursor: 'c1' })).toBeNull();
  });
});

describe('an answer teaches', () => {
  test('the ID of a submitted job and the cursor of its first event', () => {
    const job = { id: 'job_1', events: { nodes: [{ cursor: 'c1' }] } };
    expect(factsIn({ data: { submitJob: { job } } })).toEqual({ jobId: 'job_1', cursor: 'c1' });
  });

  test('the commit of a config file that was created', () => {
    expect(factsIn({ data: { createConfigFile: { commit: { id: 'commit_1' } } } })).toEqual({
      commitId: 'commit_1',
    });
  });

  test('the token with which somebody sets a password', () => {
    const answer = { passwordLink: { token: 'once' } };
    expect(factsIn({ data: { createUser: answer } })).toEqual({ passwordToken: 'once' });
    expect(factsIn({ data: { createPasswordReset: answer } })).toEqual({ passwordToken: 'once' });
  });

  test('the files that were opened last', () => {
    expect(factsIn({ data: { openFiles: { fileSession: { id: 'files_1' } } } })).toEqual({
      fileSessionId: 'files_1',
    });
    const fileSessions = [{ id: 'files_2' }, { id: 'files_1' }];
    expect(factsIn({ data: { viewer: { fileSessions } } })).toEqual({ fileSessionId: 'files_2' });
  });

  test('a session to end, but not the one that is in use', () => {
    const nodes = [
      { id: 'session_1', isCurrent: true },
      { id: 'session_2', isCurrent: false },
    ];
    expect(factsIn({ data: { user: { sessions: { nodes } } } })).toEqual({ sessionId: 'session_2' });
  });

  test('nothing if there are only errors', () => {
    expect(factsIn({ data: null, errors: [{ message: 'no' }] })).toEqual({});
  });
});
