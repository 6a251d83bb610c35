// Starts `platform dev` once, runs every client's tests and the audits of ../conformance against it, and stops it.
//
//   npm test                                      starts PLATFORM_BIN or ../../target/debug/platform
//   PLATFORM_READY_FILE=ready.json npm test       uses a server that is running already
//   REPORT=counts.json npm test                   also writes how many tests passed and failed
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const here = import.meta.dirname;
const START_WITHIN_MS = 90_000;
const STOP_WITHIN_MS = 15_000;

/** The exit code of the test runner, with the server described by `readyFile`. */
async function runTests(readyFile) {
  const { graphqlUrl } = JSON.parse(readFileSync(readyFile, 'utf8'));
  const files = readdirSync(here).filter((name) => name.endsWith('.test.mjs'));
  const reporters = ['--test-reporter=spec', '--test-reporter-destination=stdout'];
  if (process.env.REPORT) {
    reporters.push(
      '--test-reporter=./count-reporter.mjs',
      `--test-reporter-destination=${process.env.REPORT}`,
    );
  }
  const args = ['--test', '--test-concurrency=1', ...reporters, ...files, '../conformance/audit-http.mjs'];
  const tests = spawn(process.execPath, args, {
    cwd: here,
    stdio: 'inherit',
    env: { ...process.env, PLATFORM_READY_FILE: readyFile, URL: graphqlUrl },
  });
  const [code] = await once(tests, 'exit');
  return code ?? 1;
}

async function withServer(run) {
  const binary = process.env.PLATFORM_BIN ?? resolve(here, '../../target/debug/platform');
  const directory = await mkdtemp(join(tmpdir(), 'clients-'));
  const readyFile = join(directory, 'ready.json');
  const args = ['dev', '--ephemeral', '--port', '0', '--speed', '5', '--ready-file', readyFile];
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

const given = process.env.PLATFORM_READY_FILE;
process.exit(given ? await runTests(resolve(given)) : await withServer(runTests));
