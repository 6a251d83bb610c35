// What the mock answers is what the schema says: graphql-js completes each answer by schema.graphql, so that a value no
// enum has, a null where none may be and a field without an answer are errors.
import { createSourceEventStream, execute, graphql, parse, type ExecutionResult } from 'graphql';
import { expect, test } from 'vitest';
import { fill } from '../../src/operations/fill';
import { factsIn } from '../../src/operations/learn';
import { LOG_IN, LOG_OUT, RENEW } from '../../src/operations/session';
import type { Facts } from '../../src/operations/template';
import { templates } from '../../src/operations/templates';
import { MINE } from '../../src/operations/viewer';
import { resolveOrInvent } from './invent';
import { MockJobs } from './jobs';
import { realSchema, roots, userOf, type Context } from './server';

const schema = realSchema();
const fieldResolver = resolveOrInvent;
const manager = { username: 'max', password: 'max-demo', role: 'MANAGER' };
const contextValue: Context = { user: userOf('Bearer token-max') };

type Variables = Record<string, unknown>;
type Root = ReturnType<typeof roots>;

const ask = (rootValue: Root, source: string, variableValues: Variables = {}) =>
  graphql({ schema, source, rootValue, contextValue, variableValues, fieldResolver });

/** What a subscription tells, until `last` says that it was the last. */
async function told(
  rootValue: Root,
  source: string,
  variableValues: Variables,
  last: (answer: string) => boolean,
): Promise<ExecutionResult[]> {
  const document = parse(source);
  const events = await createSourceEventStream({ schema, document, rootValue, contextValue, variableValues });
  if (!(Symbol.asyncIterator in events)) return [events];
  const answers: ExecutionResult[] = [];
  for await (const event of events) {
    const answer = await execute({
      schema,
      document,
      rootValue: event,
      contextValue,
      variableValues,
      fieldResolver,
    });
    answers.push(answer);
    if (answer.errors || last(JSON.stringify(answer.data))) break;
  }
  return answers;
}

test.each([
  [LOG_IN, { input: { username: manager.username, password: manager.password } }],
  [RENEW, { input: { refreshToken: 'refresh-max' } }],
  [MINE, {}],
  [LOG_OUT, {}],
])('the log-in box is answered: %s', async (query, variables) => {
  const { data, errors } = await ask(roots(new MockJobs(1)), query, variables);
  expect(errors).toBeUndefined();
  expect(data).toBeTruthy();
});

test('every ready operation is answered', async () => {
  const root = roots(new MockJobs(1));
  let facts: Facts = { projectId: 'project_00000000000000000000000001' };
  for (const template of templates(manager)) {
    const text = JSON.stringify(template.variables);
    const variables = JSON.parse(fill(template, text, facts) ?? text) as Variables;
    const answers = template.query.includes('subscription ')
      ? await told(root, template.query, variables, (answer) => /SUCCEEDED|COMPLETE/.test(answer))
      : [await ask(root, template.query, variables)];
    expect(answers.length, template.name).toBeGreaterThan(0);
    for (const { data, errors } of answers) {
      expect(errors, template.name).toBeUndefined();
      facts = { ...facts, ...factsIn({ data }) };
    }
  }
});

test('a job is listed with its events', async () => {
  const root = roots(new MockJobs(1));
  const source = { spec: { image: 'busybox' } };
  const input = { projectId: 'project_00000000000000000000000001', source };
  const submit = 'mutation ($input: SubmitJobInput!) { submitJob(input: $input) { job { id } } }';
  await ask(root, submit, { input });
  const { data, errors } = await ask(
    root,
    `{ projects { nodes { jobs { nodes { name phase queue reason pendingReason submittedAt finishedAt
       submittedBy { username } events(first: 5) { nodes { cursor at kind phase previousPhase reason } } } } } } }`,
  );
  expect(errors).toBeUndefined();
  expect(JSON.stringify(data)).toContain('SUBMITTED');
});
