// The program in README.md, run unchanged, through a proxy that repeatedly cuts its connection.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { ask, jobInput, logIn, SUBMIT, wsUrl } from './platform.mjs';
import { proxyBefore } from './proxy.mjs';

const here = import.meta.dirname;
const readme = readFileSync(join(here, '../../README.md'), 'utf8');
const [, program] = readme.match(/```js\n(import \{ createClient \} from 'graphql-ws';[^]*?)```/) ?? [];
assert.ok(program, 'README.md shows the program');

const README_URL = 'ws://localhost:8080/graphql';
assert.ok(program.includes(README_URL));

const { token } = await logIn();
const EVENTS = `query Events($job: ID!) { job(id: $job) { events(first: 100) { nodes { cursor } } } }`;

/** Runs the program with this server; the lines that it writes, and how to stop it. */
async function watch(url, env = {}) {
  // Beside the tests, so that it finds the packages.
  const file = join(here, `watch-${randomUUID()}.mjs`);
  await writeFile(file, program.replace(README_URL, url));
  after(() => rm(file, { force: true }));
  const child = spawn(process.execPath, [file], {
    env: { ...process.env, TOKEN: token, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines = [];
  let said = '';
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line.split(' ')));
  child.stderr.on('data', (chunk) => (said += chunk));
  return { lines, child, said: () => said, stop: () => child.kill() };
}

async function until(what, holds) {
  const end = Date.now() + 60_000;
  while (!(await holds())) {
    assert.ok(Date.now() < end, `not in time: ${what()}`);
    await new Promise((next) => setTimeout(next, 20));
  }
}

/** Submits a job under a name of its own; its id. */
async function submit(name) {
  const { submitJob } = await ask(SUBMIT, { input: { ...(await jobInput()), name } }, token);
  return submitJob.job.id;
}

/** The cursors of all that happened to the job. */
async function happened(job) {
  const answer = await ask(EVENTS, { job }, token);
  return answer.job.events.nodes.map(({ cursor }) => cursor);
}

test('the program of the README loses nothing and tells nothing twice when it is cut off', async () => {
  const proxy = await proxyBefore(wsUrl);
  const watcher = await watch(proxy.url);
  try {
    await until(watcher.said, () => proxy.connections() > 0);
    // Time to be acknowledged; nothing has happened yet that it could have a cursor of.
    await new Promise((next) => setTimeout(next, 1_000));
    proxy.cut();
    const names = [];
    const jobs = [];
    for (let number = 0; number < 4; number += 1) {
      names.push(`readme-${process.pid}-${number}`);
      jobs.push(await submit(names.at(-1)));
      await new Promise((next) => setTimeout(next, 700));
      proxy.cut();
    }
    const seen = (name) => watcher.lines.filter(([of]) => of === name);
    const told = (name) => seen(name).map(([, , cursor]) => cursor);
    const isOver = (name) => seen(name).some(([, phase]) => phase === 'SUCCEEDED');
    await until(
      () => JSON.stringify(watcher.lines) + watcher.said(),
      () => names.every(isOver),
    );
    for (const [number, job] of jobs.entries()) {
      let all = [];
      await until(
        () => `${told(names[number])} of ${all}`,
        async () => {
          all = await happened(job);
          return told(names[number]).length >= all.length;
        },
      );
      assert.deepEqual(told(names[number]), all);
    }
  } finally {
    watcher.stop();
    proxy.close();
  }
});

test('the program of the README ends with the error when its cursor has expired or its token is wrong', async () => {
  const beyond = Buffer.from('e9223372036854775807').toString('base64url');
  for (const [env, expected] of [
    [{ AFTER: beyond }, /RESUME_EXPIRED/],
    [{ TOKEN: 'not-a-token' }, /UNAUTHENTICATED/],
  ]) {
    const watcher = await watch(wsUrl, env);
    const [code] = await once(watcher.child, 'exit');
    assert.notEqual(code, 0);
    assert.match(watcher.said(), expected);
  }
});
