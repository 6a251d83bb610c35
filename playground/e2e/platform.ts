// Starts the server that the test talks to: `platform dev` as a child process, or the mock.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { startMock } from './mock/server';

export interface Platform {
  url: string;
  stop(): Promise<void>;
}

interface Ready {
  playgroundUrl: string;
}

const BINARY = process.env.PLATFORM_BIN ?? resolve(import.meta.dirname, '../../target/debug/platform');
const START_WITHIN_MS = 90_000;
const STOP_WITHIN_MS = 15_000;

function withoutDufs(path: string): string {
  const folders = path.split(delimiter).filter((folder) => !existsSync(join(folder, 'dufs')));
  return folders.join(delimiter);
}

export async function startPlatform(): Promise<Platform> {
  if (BINARY === 'mock') {
    const mock = await startMock();
    return { url: mock.url, stop: mock.close };
  }

  const directory = await mkdtemp(join(tmpdir(), 'playground-e2e-'));
  const readyFile = join(directory, 'ready.json');
  const child = spawn(
    BINARY,
    [
      'dev',
      '--ephemeral',
      '--port',
      '0',
      '--speed',
      '5',
      '--registration',
      'approval',
      '--ready-file',
      readyFile,
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Files are shown by the server's own page, also where there is a dufs.
      env: { ...process.env, PATH: withoutDufs(process.env.PATH ?? '') },
    },
  );
  let output = '';
  const keep = (chunk: Buffer) => (output = (output + chunk.toString('utf8')).slice(-8_000));
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const exited = new Promise<string>((done) => {
    child.once('error', (error) => done(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => done(`ended with ${code ?? signal ?? 'nothing'}`));
  });

  const stop = async () => {
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
    await exited;
    clearTimeout(force);
    await rm(directory, { recursive: true, force: true });
  };

  let ended: string | undefined;
  void exited.then((how) => (ended = how));
  const deadline = Date.now() + START_WITHIN_MS;
  for (;;) {
    if (ended !== undefined) throw new Error(`${BINARY} ${ended}\n${output}`);
    const ready = await readFile(readyFile, 'utf8').catch(() => '');
    if (ready !== '') {
      const { playgroundUrl } = JSON.parse(ready) as Ready;
      return { url: playgroundUrl, stop };
    }
    if (Date.now() > deadline) {
      await stop();
      throw new Error(`${BINARY} was not ready within ${START_WITHIN_MS / 1000} s\n${output}`);
    }
    await new Promise((next) => setTimeout(next, 100));
  }
}
