// What typed clients do with the schema: graphql-codegen makes TypeScript of it and of the playground's operations, and
// a client that uses them as it should compiles, one that does not is told where.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { codegen } from '@graphql-codegen/core';
import * as documentNodes from '@graphql-codegen/typed-document-node';
import * as types from '@graphql-codegen/typescript';
import * as operationTypes from '@graphql-codegen/typescript-operations';
import { buildSchema, parse } from 'graphql';
import ts from 'typescript';

const root = join(import.meta.dirname, '../..');
// Inside of this folder, so that the generated code finds its imports.
const folder = mkdtempSync(join(import.meta.dirname, '.generated-'));
after(() => rmSync(folder, { recursive: true }));

const operations = ['logIn', 'submitJob', 'watchJob', 'browse'].map((name) => {
  const location = join(root, 'playground/src/operations/jobs', `${name}.graphql`);
  return { location, document: parse(readFileSync(location, 'utf8')) };
});
/** Writes what codegen makes of the schema and the operations with some of its plugins. */
async function generate(filename, pluginMap) {
  const code = await codegen({
    filename,
    schema: buildSchema(readFileSync(join(root, 'schema.graphql'), 'utf8')),
    documents: operations,
    config: {
      scalars: { DateTime: 'string', FeedCursor: 'string', JSON: 'unknown', Quantity: 'string' },
      strictScalars: true,
      useTypeImports: true,
    },
    plugins: Object.keys(pluginMap).map((name) => ({ [name]: {} })),
    pluginMap,
  });
  writeFileSync(join(folder, filename), code);
}
await generate('schema.ts', { types });
await generate('api.ts', { operationTypes, documentNodes });

/** What the compiler says about a client, a line each; nothing when it compiles. */
function complaints(client) {
  const file = join(folder, 'client.ts');
  writeFileSync(file, client);
  const options = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    allowImportingTsExtensions: true,
  };
  return ts
    .getPreEmitDiagnostics(ts.createProgram([file], options))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n').split('\n')[0]);
}

const request = `
  import type { ResultOf, VariablesOf, TypedDocumentNode } from '@graphql-typed-document-node/core';
  import * as api from './api.ts';
  import type { Job, JobSourceInput, JobSpecInput } from './schema.ts';
  declare function request<D extends TypedDocumentNode<any, any>>(document: D, variables: VariablesOf<D>): ResultOf<D>;
`;

test('a client that submits and watches a job compiles', () => {
  const client = `${request}
    const { submitJob } = request(api.SubmitJobDocument, {
      input: {
        projectId: 'project_1',
        source: { spec: { image: 'python:3.12', resources: { cpu: '500m', gpu: 1 } } },
      },
    });
    const name: string | undefined = submitJob?.job?.name;
    const { jobEvents } = request(api.WatchJobDocument, { filter: { jobIds: [submitJob!.job!.id] }, after: null });
    const cursor: string = jobEvents.cursor;
    const exitCodes = (job: Job): (number | null | undefined)[] => job.tasks.map(({ exitCode }) => exitCode);
  `;
  assert.deepEqual(complaints(client), []);
});

test('a field that was not asked for and inputs that do not fit are found by the compiler', () => {
  const client = `${request}
    const job: JobSpecInput = { replicas: 2 };
    const both: JobSourceInput = { commitId: 'commit_1', spec: { image: 'python:3.12' } };
    const none: JobSourceInput = {};
    request(api.BrowseDocument, {}).viewer.password;
  `;
  assert.deepEqual(complaints(client), [
    "Property 'image' is missing in type '{ replicas: number; }' but required in type 'JobSpecInput'.",
    "Type '{ commitId: string; spec: { image: string; }; }' is not assignable to type 'JobSourceInput'.",
    "Type '{}' is not assignable to type 'JobSourceInput'.",
    "Property 'password' does not exist on type '{ id: string; username: string; platformRole: PlatformRole; }'.",
  ]);
});
