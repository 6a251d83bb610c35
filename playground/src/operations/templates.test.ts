// The ready operations fit the schema, and are filled in without harm to what a person typed.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  buildSchema,
  coerceInputValue,
  Kind,
  parse,
  typeFromAST,
  validate,
  type GraphQLInputType,
} from 'graphql';
import { describe, expect, test } from 'vitest';
import { factsIn, fill } from './fill';
import { mostRightsFirst } from './projects';
import { LOG_IN, LOG_OUT, MY_PROJECTS, RENEW } from './session';
import { templates, type Facts } from './templates';

const schema = buildSchema(readFileSync(resolve(import.meta.dirname, '../../../schema.graphql'), 'utf8'));
const ready = templates({ username: 'mia', password: 'mia-demo', role: 'MEMBER' });
const FACTS: Facts = { projectId: 'project_1', jobId: 'job_1', cursor: 'c1', commitId: 'commit_1' };

describe.each(ready.map((template) => [template.name, template] as const))('%s', (name, template) => {
  test('is valid', () => {
    expect(validate(schema, parse(template.query))).toEqual([]);
  });

  test('has variables of the right types', () => {
    const operation = parse(template.query).definitions[0];
    if (operation?.kind !== Kind.OPERATION_DEFINITION) throw new Error('not an operation');
    const variables = JSON.parse(
      fill(template, JSON.stringify(template.variables), FACTS) ?? JSON.stringify(template.variables),
    ) as Record<string, unknown>;
    const problems: string[] = [];
    for (const { variable, type } of operation.variableDefinitions ?? []) {
      const value = variables[variable.name.value];
      const expected = typeFromAST(schema, type as never) as GraphQLInputType;
      if (value !== undefined)
        coerceInputValue(value, expected, (path, _, error) =>
          problems.push(`${path.join('.')}: ${error.message}`),
        );
    }
    expect(problems).toEqual([]);
  });

  test('is named as its tab', () => {
    expect(template.query).toMatch(new RegExp(`^(query|mutation|subscription) ${name}\\b`, 'm'));
  });

  test('has no placeholder left once all is known', () => {
    const text = JSON.stringify(template.variables);
    expect(fill(template, text, FACTS) ?? text).not.toContain('filled in when');
  });
});

test.each([
  ['log in', LOG_IN],
  ['renew', RENEW],
  ['log out', LOG_OUT],
  ['projects', MY_PROJECTS],
])('the operation of the log-in box is valid: %s', (_, query) => {
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

test('a submitted job teaches its id and the cursor of its first event', () => {
  const job = { id: 'job_1', events: { nodes: [{ cursor: 'c1' }] } };
  expect(factsIn({ data: { submitJob: { job } } })).toEqual({ jobId: 'job_1', cursor: 'c1' });
});

test('a created config file teaches its commit', () => {
  expect(factsIn({ data: { createConfigFile: { commit: { id: 'commit_1' } } } })).toEqual({
    commitId: 'commit_1',
  });
});

test('an answer with errors only teaches nothing', () => {
  expect(factsIn({ data: null, errors: [{ message: 'no' }] })).toEqual({});
});

test('a project in which the viewer is a manager comes first', () => {
  const project = (id: string, group: string) => ({ id, name: id, group: { id: group } });
  const memberships = {
    nodes: [
      { role: 'MEMBER', group: { id: 'language' } },
      { role: 'MANAGER', group: { id: 'vision' } },
    ],
  };
  const projects = { nodes: [project('corpus', 'language'), project('detection', 'vision')] };
  const ordered = mostRightsFirst({ viewer: { memberships }, projects });
  expect(ordered.map(({ id }) => id)).toEqual(['detection', 'corpus']);
});
