// Starts `platform dev` once, runs every client's tests and the audits of ../conformance against it, and stops it.
//
//   npm test                                      starts PLATFORM_BIN or ../../target/debug/platform
//   PLATFORM_READY_FILE=ready.json npm test       uses a server that is running already
//   REPORT=counts.json npm test                   also writes how many tests passed and failed
//   node run.mjs FOLDER [FILE]                    runs the tests of another folder instead, or one of its files
//
// The server gets the variables of this process, so they can be settings. Its port is PORT, or a free one. JWT_SECRET is
// set, so that a test can make an access token that has expired.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const here = import.meta.dirname;
const [, , given, only = ''] = process.argv;
const other = given && resolve(given);
const folder = other ?? here;
const START_WITHIN_MS = 90_000;
const STOP_WITHIN_MS = 15_000;

/** The exit code of the test runner, with the server described by `readyFile`. */
async function runTests(readyFile) {
  const { graphqlUrl } = JSON.parse(readFileSync(readyFile, 'utf8'));
  const files = readdirSync(folder).filter((name) => name.endsWith('.test.mjs') && name.startsWith(only));
  const reporters = ['--test-reporter=spec', '--test-reporter-destination=stdout'];
  if (process.env.REPORT) {
    reporters.push(
      `--test-reporter=${pathToFileURL(join(here, 'count-reporter.mjs'))}`,
      `--test-reporter-destination=${process.env.REPORT}`,
    );
  }
  const audits = other ? [] : ['../conformance/audit-http.mjs'];
  const args = ['--test', '--test-concurrency=1', ...reporters, ...files, ...audits];
  const tests = spawn(process.execPath, args, {
    cwd: folder,
    stdio: 'inherit',
    env: { ...process.env, PLATFORM_READY_FILE: readyFile, URL: graphqlUrl },
  });
  const [code] = await once(tests, 'exit');
  return code ?? 1;
}

async function withServer(run) {
  process.env.JWT_SECRET ??= randomBytes(32).toString('base64url');
  const binary = process.env.PLATFORM_BIN ?? resolve(here, '../../target/debug/platform');
  const directory = await mkdtemp(join(tmpdir(), 'clients-'));
  const readyFile = join(directory, 'ready.json');
  const args = [
    'dev',
    '--ephemeral',
    '--port',
    process.env.PORT ?? '0',
    '--speed',
    '5',
    '--ready-file',
    readyFile,
  ];
  const server = spawn(binary, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  server.stderr.on('data', (chunk) => (log = (log + chunk).slice(-8_000)));
  const exited = new Promise((done) => {
    server.once('error', (error) => done(error.message));
    server.once('exit', (code, signal) => done(`ended with ${code ?? signal}`));
  });
  let ended;
  exited.then((how) => (ended = how));

  try {
    const deadline = Date.now() + START_WITHIN_MS;
    while (!existsSync(readyFile)) {
      if (ended !== undefined) throw new Error(`${binary}: ${ended}\n${log}`);
      if (Date.now() > deadline) throw new Error(`${binary} was not ready in time\n${log}`);
      await new Promise((next) => setTimeout(next, 100));
    }
    return await run(readyFile);
  } finally {
    server.kill('SIGTERM');
    const force = setTimeout(() => server.kill('SIGKILL'), STOP_WITHIN_MS);
    await exited;
    clearTimeout(force);
    await rm(directory, { recursive: true, force: true });
  }
}

const running = process.env.PLATFORM_READY_FILE;
process.exit(running ? await runTests(resolve(running)) : await withServer(runTests));
