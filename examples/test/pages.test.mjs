// The pages: type-checked, built, and used in a browser, through a proxy that cuts their connections.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { preview } from 'vite';
import { ask, jobInput, logIn, SUBMIT, user, wsUrl } from '../../tests/clients/platform.mjs';
import { proxyBefore } from '../../tests/clients/proxy.mjs';

const examples = join(import.meta.dirname, '..');
const run = promisify(execFile);
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const JOBS = 4;
const CUT_EVERY_MS = 900;

test('the recipes and the pages are type-checked', async () => {
  await run('npx', ['tsc'], { cwd: examples }).catch(({ stdout }) => assert.fail(stdout));
});

describe('in the browser', { skip: existsSync(CHROMIUM) ? false : 'set CHROMIUM to a browser' }, () => {
  const outDir = mkdtempSync(join(tmpdir(), 'pages-'));
  const trusted = new Set(
    Object.values(JSON.parse(readFileSync(join(examples, 'trusted-documents.json'), 'utf8'))),
  );
  let proxy, server, browser, url;

  before(async () => {
    proxy = await proxyBefore(wsUrl);
    const env = {
      ...process.env,
      OUT_DIR: outDir,
      VITE_API: proxy.url.replace(/^ws/, 'http'),
      VITE_TRUSTED_DOCUMENTS: 'only',
    };
    await run('npx', ['vite', 'build'], { cwd: examples, env }).catch(({ stderr }) => assert.fail(stderr));
    server = await preview({
      root: join(examples, 'web'),
      configFile: false,
      build: { outDir },
      preview: { port: 0, host: '127.0.0.1' },
    });
    url = `http://localhost:${server.httpServer.address().port}`;
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
    });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
    proxy?.close();
    rmSync(outDir, { recursive: true, force: true });
  });

  /** A page of its own session, logged in. */
  async function open(file) {
    const page = await (await browser.newContext()).newPage();
    page.texts = [];
    const complaints = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => {
      const { query } = JSON.parse(request.postData() ?? '{}');
      if (query) page.texts.push(query);
    });
    page.on('websocket', (socket) =>
      socket.on('framesent', ({ payload }) => {
        const { query } = JSON.parse(String(payload)).payload ?? {};
        if (query) page.texts.push(query);
      }),
    );
    await page.goto(`${url}/${file}`);
    await page.getByLabel('Username').fill(user.username);
    await page.getByLabel('Password').fill(user.password);
    await page.getByRole('button', { name: 'Log in' }).click();
    const table = page.getByRole('table', { name: 'Jobs' });
    await table.waitFor().catch(async () => {
      assert.fail(`${complaints.join('\n')}\n${await page.locator('body').textContent()}`);
    });
    return page;
  }

  for (const file of ['index.html', 'urql.html', 'relay.html']) {
    test(`${file} shows nothing stale after its connections were cut`, async () => {
      const page = await open(file);
      const { token } = await logIn();
      const cutting = setInterval(() => proxy.cut(), CUT_EVERY_MS);
      const jobs = [];
      try {
        for (let number = 0; number < JOBS; number += 1) {
          const { submitJob } = await ask(SUBMIT, { input: await jobInput() }, token);
          jobs.push(submitJob.job.id);
          await page.waitForTimeout(CUT_EVERY_MS);
        }
      } finally {
        clearInterval(cutting);
      }
      for (const id of jobs) {
        const row = page.locator(`[data-job="${id}"][data-phase="SUCCEEDED"]`);
        await row
          .waitFor({ timeout: 30_000 })
          .catch(async () =>
            assert.fail(`${id} is not done: ${await page.getByRole('table').textContent()}`),
          );
        assert.equal(await page.locator(`[data-job="${id}"]`).count(), 1);
      }
      await page.context().close();
    });

    test(`${file} sends no text that is not among the trusted documents`, async () => {
      const page = await open(file);
      assert.deepEqual(
        page.texts.filter((text) => !trusted.has(text)),
        [],
      );
      await page.context().close();
    });
  }

  test('the form shows an error at its input, submits, and the log is followed to its end', async () => {
    const page = await open('index.html');
    const name = `page-${Date.now()}`;
    const form = page.getByRole('form', { name: 'Submit a job' });
    await form.getByLabel('Name').fill('Not a name');
    await form.getByLabel('Tasks').fill('1000');
    await form.getByRole('button', { name: 'Submit' }).click();
    const problem = (label) => form.locator('label', { hasText: label }).locator('.error:not(:empty)');
    await problem('Name').waitFor();
    await problem('Tasks').waitFor();

    await form.getByLabel('Name').fill(name);
    await form.getByLabel('Tasks').fill('1');
    await form.getByRole('button', { name: 'Submit' }).click();
    await page.getByRole('button', { name }).click();
    await page.locator('[aria-label="Log"][data-end="COMPLETE"]').waitFor();
    assert.notEqual((await page.locator('[aria-label="Log"] pre').textContent())?.trim(), '');
    await page.locator('tr', { hasText: name }).and(page.locator('[data-phase="SUCCEEDED"]')).waitFor();
    await page.context().close();
  });
});
