// The stock code generator asks a running server for its schema over HTTP, with the Accept-Encoding of its own fetch, and
// makes of it what it makes of schema.graphql.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { graphqlUrl } from '../../tests/clients/platform.mjs';

const root = join(import.meta.dirname, '..');
const generated = join(root, 'web/src/gql');
const texts = () =>
  Object.fromEntries(
    readdirSync(generated).map((name) => [name, readFileSync(join(generated, name), 'utf8')]),
  );

test('codegen reads the schema of a running server', async () => {
  const ofFile = texts();
  const codegen = join(root, 'node_modules/.bin/graphql-codegen');
  await promisify(execFile)(codegen, [], { cwd: root, env: { ...process.env, SCHEMA: graphqlUrl } });
  const ofServer = texts();
  const names = Object.keys({ ...ofFile, ...ofServer });
  assert.deepEqual(
    names.filter((name) => ofFile[name] !== ofServer[name]),
    [],
  );
});
