// Compares documents and variables with the reference implementation: can it be parsed, is it valid, are the values
// correct?
import assert from 'node:assert/strict';
import test, { before } from 'node:test';

import { buildSchema, getVariableValues, parse, specifiedRules, validate } from 'graphql';

import { BY_RULE, made, mutated, seeded } from './documents.mjs';
import { graphqlUrl, logIn } from './platform.mjs';

const MUTATED = 2_000;
const MADE = 800;
const AT_ONCE = 16;

// How deeply introspection may nest is a limit here (docs/limits.md) and no matter of validity.
const RULES = specifiedRules.filter(({ name }) => name !== 'MaxIntrospectionDepthRule');

/** Where this server is known to differ, and why. */
const DIFFERS = [
  {
    is: (document) => /\b(schema|scalar|type|interface|union|enum|input|directive|extend)\b/.test(document),
    between: ['parse', 'invalid'],
    why: 'a definition of types is refused where it begins, whether the rest of it parses or not',
  },
  {
    is: (document, { errors }) =>
      errors.some(({ message }) => /must not use "@(skip|include)" on what/.test(message)),
    between: ['valid', 'invalid'],
    why: 'the specification of September 2025 forbids conditions at the root of a subscription; graphql-js 17 follows it',
  },
  {
    is: (document) => /\\u\{0{4}/.test(document),
    between: ['parse', 'valid', 'invalid'],
    why: 'an escape may have any number of zeros; the reference reads nine digits',
  },
];

let schema, token;

before(async () => {
  schema = buildSchema(await (await fetch(new URL('/schema.graphql', graphqlUrl))).text());
  ({ token } = await logIn());
});

async function post(body) {
  const response = await fetch(graphqlUrl, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json',
      authorization: `Bearer ${token}`,
    },
    body: JSON.stringify(body),
  });
  return response.json();
}

/** What the server thinks of a document. Nothing is executed: the document is valid before the operation is not found. */
async function ours(document) {
  const { errors } = await post({ query: document, operationName: 'there is no operation of this name' });
  const codes = new Set(errors.map(({ extensions }) => extensions.code));
  if (codes.has('GRAPHQL_PARSE_FAILED')) return { verdict: 'parse', errors };
  if (codes.has('GRAPHQL_VALIDATION_FAILED')) return { verdict: 'invalid', errors };
  const { code, field } = errors[0].extensions;
  return { verdict: code === 'BAD_USER_INPUT' && field === 'operationName' ? 'valid' : code, errors };
}

function theirs(document) {
  let parsed;
  try {
    parsed = parse(document);
  } catch (error) {
    return { verdict: 'parse', errors: [error] };
  }
  let errors;
  try {
    errors = validate(schema, parsed, RULES);
  } catch (error) {
    // It looks at the conditions of a subscription as if it were executed without variables.
    errors = [error];
  }
  return { verdict: errors.length ? 'invalid' : 'valid', errors };
}

function isKnown(document, expected, actual) {
  const pair = [expected.verdict, actual.verdict];
  return DIFFERS.some(
    ({ is, between }) => is(document, actual) && pair.every((verdict) => between.includes(verdict)),
  );
}

/** Fails with every document on which the two differ, and tells how many there were of each verdict. */
async function compare(documents) {
  const differences = [];
  const counts = {};
  const queue = [...documents];
  const worker = async () => {
    for (let document = queue.pop(); document !== undefined; document = queue.pop()) {
      const expected = theirs(document);
      const actual = await ours(document);
      counts[expected.verdict] = (counts[expected.verdict] ?? 0) + 1;
      if (expected.verdict === actual.verdict || isKnown(document, expected, actual)) continue;
      const told = ({ verdict, errors }) => `${verdict} ${errors[0]?.message ?? ''}`;
      differences.push(`${document}\n    reference: ${told(expected)}\n    server:    ${told(actual)}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  assert.equal(differences.length, 0, `${differences.length} differ\n${differences.slice(0, 40).join('\n')}`);
  return counts;
}

for (const [rule, documents] of Object.entries(BY_RULE)) {
  test(`documents written for a rule: ${rule}`, () => compare(documents));
}

test('documents made from the schema', async () => {
  const random = seeded(20261126);
  const counts = await compare(Array.from({ length: MADE }, () => made(random, schema)));
  assert.ok(counts.valid > MADE / 5 && counts.invalid > MADE / 5, JSON.stringify(counts));
});

test('documents that were mutated', async () => {
  const random = seeded(17);
  const seeds = Object.values(BY_RULE)
    .flat()
    .filter((document) => theirs(document).verdict !== 'parse');
  const counts = await compare(Array.from({ length: MUTATED }, () => mutated(random, random.pick(seeds))));
  assert.ok(counts.valid > 100 && counts.invalid > 100 && counts.parse > 100, JSON.stringify(counts));
});

const VALUES = [
  null,
  true,
  false,
  0,
  1,
  -1,
  1.5,
  -0.5,
  2147483647,
  2147483648,
  -2147483648,
  -2147483649,
  1e10,
  '',
  '1',
  'a',
  'RUNNING',
  'NAME',
  'ASC',
  'nope',
  [],
  [null],
  [1],
  [1.5],
  ['a'],
  ['RUNNING'],
  ['RUNNING', 'nope'],
  [['a']],
  [[1]],
  {},
  { a: 1 },
  { mine: true },
  { mine: 'x' },
  { mine: null },
  { mine: true, nope: 1 },
  { names: 'a' },
  { names: ['a', null] },
  { names: [1] },
  { field: 'NAME' },
  { field: 'NAME', direction: 'ASC' },
  { field: 'NAME', direction: null },
  { field: 'nope' },
  { field: 1 },
  { direction: 'ASC' },
  { phases: 'RUNNING' },
  { phases: ['RUNNING', 'FAILED'] },
  { phases: [1] },
  { name: 'a' },
  { name: 'a', description: null },
  { name: null },
  { name: 1 },
  { name: 'a', description: 'b', more: 1 },
  { projectId: 1 },
  { projectId: 1.5 },
  { projectId: true },
  { projectId: 'p', source: { spec: { image: 'a', replicas: 1.5 } } },
  { projectId: 'p', source: { spec: { image: 'a' } } },
  { projectId: 'p', source: { spec: { image: 'a' }, commitId: 'c' } },
  { projectId: 'p', source: {} },
  { projectId: 'p', source: null },
  { commitId: 'c' },
  { commitId: null },
  { commitId: 'c', spec: { image: 'a' } },
  { projectId: 'p', spec: { image: 'a' } },
];
const TYPES = [
  'Int',
  'Float',
  'String',
  'Boolean',
  'ID',
  'FeedCursor',
  'Quantity',
  'JobPhase',
  'GroupOrderField',
  'GroupFilter',
  'GroupOrder',
  'JobFilter',
  'CreateGroupInput',
  'SubmitJobInput',
  'JobSourceInput',
];
const WRAPPED = [
  (type) => type,
  (type) => `${type}!`,
  (type) => `[${type}]`,
  (type) => `[${type}!]!`,
  (type) => `[[${type}!]]`,
];

/** An operation that declares `$v` and uses it where any value can stand; nothing of it is executed. */
const using = (type) => `mutation($v: ${type}) {
  previewJob(input: {projectId: "p", source: {spec: {image: "a", resources: {cpu: {any: $v}}}}}) @skip(if: true) { preview { admitted } }
}`;

const isOfVariable = ({ code, field, variable }) =>
  code === 'BAD_USER_INPUT' && variable === 'v' && field.startsWith('input.source.spec.resources.cpu.any');

test('variables are taken and refused as the reference does', async () => {
  const differences = [];
  for (const type of TYPES.filter((type) => schema.getType(type)).flatMap((type) =>
    WRAPPED.map((wrap) => wrap(type)),
  )) {
    const [definition] = parse(using(type)).definitions;
    const refuses = async (variables) => {
      const { errors, data } = await post({ query: using(type), variables });
      assert.ok(
        errors ? errors.every(({ extensions }) => isOfVariable(extensions)) : data,
        JSON.stringify(errors),
      );
      return Boolean(errors);
    };
    const given = [{}, ...VALUES.map((v) => ({ v }))];
    const refused = await Promise.all(given.map(refuses));
    given.forEach((variables, index) => {
      const { errors } = getVariableValues(schema, definition.variableDefinitions, variables);
      if (Boolean(errors) === refused[index]) return;
      differences.push(
        `${type} ${JSON.stringify(variables)}: the reference ${errors ? `refuses: ${errors[0].message}` : 'takes it'}`,
      );
    });
  }
  assert.equal(differences.length, 0, `${differences.length} differ\n${differences.slice(0, 40).join('\n')}`);
});

test('a number is whole however JSON writes it', async () => {
  const given = async (number) => {
    const response = await fetch(graphqlUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: `{"query": "query($n: Int) { groups(first: $n) { nodes { id } } }", "variables": {"n": ${number}}}`,
    });
    const { errors } = await response.json();
    return errors?.[0].extensions.field ?? 'taken';
  };
  for (const number of ['1.0', '1e1', '10E-1', '-0.0e5', 'null'])
    assert.equal(await given(number), number === '-0.0e5' ? await given('0') : 'taken', number);
  for (const number of ['1.5', '1e10', '"1"', '2147483648.0', 'true'])
    assert.equal(await given(number), 'first', number);
});
