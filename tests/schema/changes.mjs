// What changed in schema.graphql since the last release. A change that breaks clients needs an entry in
// schema-changes.md; one without an entry, or an entry without its change, ends with 1.
//
//   node changes.mjs                      compares ../../schema.graphql with released.graphql
//   node changes.mjs --release 0.2.0      makes the schema of now the released one and closes the section of its changes
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { CriticalityLevel, diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';

const NEXT_RELEASE = '## Since the last release';
const here = (name) => new URL(name, import.meta.url);

/** The entries of the next release, by the path of what they are about: - `Type.field`: why, and what to do instead. */
export function entriesOf(changelog) {
  const [, section = ''] = `${changelog}\n## `.split(`${NEXT_RELEASE}\n`);
  const entries = section.split(/^## /m)[0].matchAll(/^- `([^`]+)`: *(\S.*)$/gm);
  return new Map([...entries].map(([, path, why]) => [path, why]));
}

/** The changes from one SDL to another, and what is wrong with them: a sentence each. */
export async function review(released, current, changelog) {
  const changes = await diff(buildSchema(released), buildSchema(current));
  const breaking = changes.filter(({ criticality }) => criticality.level === CriticalityLevel.Breaking);
  const entries = entriesOf(changelog);
  const paths = new Set(breaking.map(({ path }) => path));
  const missing = breaking
    .filter(({ path }) => !entries.has(path))
    .map(({ path, message }) => `${message}: this breaks clients and needs an entry "- \`${path}\`: ..."`);
  const stale = [...entries.keys()]
    .filter((path) => !paths.has(path))
    .map((path) => `the entry of \`${path}\` is about no change that breaks clients`);
  return { changes, problems: [...missing, ...stale] };
}

/** The changelog with its open section closed under a version. */
export function close(changelog, version) {
  return changelog.replace(`${NEXT_RELEASE}\n`, `${NEXT_RELEASE}\n\n## ${version}\n`);
}

async function main([option, version]) {
  const current = readFileSync(here('../../schema.graphql'), 'utf8');
  const released = readFileSync(here('released.graphql'), 'utf8');
  const changelog = readFileSync(here('../../schema-changes.md'), 'utf8');
  const { changes, problems } = await review(released, current, changelog);
  for (const problem of problems) console.error(`schema-changes.md: ${problem}`);
  if (problems.length > 0) return 1;
  if (option === '--release') {
    if (!/^\d+\.\d+\.\d+$/.test(version ?? '')) throw new Error('--release takes a version such as 0.2.0');
    writeFileSync(here('released.graphql'), current);
    writeFileSync(here('../../schema-changes.md'), close(changelog, version));
  }
  const count = (level) => changes.filter(({ criticality }) => criticality.level === level).length;
  console.log(
    `since the last release: ${count(CriticalityLevel.Breaking)} breaking, ` +
      `${count(CriticalityLevel.Dangerous)} dangerous, ${count(CriticalityLevel.NonBreaking)} other changes`,
  );
  return 0;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href)
  process.exitCode = await main(process.argv.slice(2));
