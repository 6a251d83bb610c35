// The main flow through the page: log in, submit a job, watch it succeed live, cancel another one.
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from '@playwright/test';
import axe from 'axe-core';
import { PlaygroundPage } from './page';
import { startPlatform, type Platform } from './platform';

const ARTIFACTS = resolve(import.meta.dirname, '../../tests/artifacts');
let platform: Platform;

test.beforeAll(async () => {
  mkdirSync(ARTIFACTS, { recursive: true });
  platform = await startPlatform();
});
test.afterAll(() => platform.stop());

test('a submitted job succeeds live, and no request leaves the machine', async ({ page }) => {
  const playground = new PlaygroundPage(page);
  await playground.visit(platform.url);
  await playground.logInAsManager();

  await playground.step('Submit');
  await expect(playground.variables).toContainText('project_');
  await playground.run();
  await playground.sees('SUCCEEDED');
  for (const phase of ['SUBMITTED', 'QUEUED', 'RUNNING', 'SUCCEEDED']) {
    await expect(playground.track).toContainText(phase);
  }

  await page.screenshot({ path: resolve(ARTIFACTS, 'playground.png') });
  expect([...playground.hosts].filter((host) => !['localhost', '127.0.0.1', '[::1]'].includes(host))).toEqual(
    [],
  );
  expect(playground.complaints).toEqual([]);
});

test('the log-in tab logs in with nothing to fill in', async ({ page }) => {
  const playground = new PlaygroundPage(page);
  await playground.visit(platform.url);
  await expect(playground.variables).toContainText('password');
  await playground.run();
  await expect(page.getByTestId('who')).toBeVisible();
});

test('the watch tab replays the job that was submitted last', async ({ page }) => {
  const playground = new PlaygroundPage(page);
  await playground.visit(platform.url);
  await playground.logInAsManager();
  await playground.runStep('Submit');
  await playground.sees('SUCCEEDED');

  await playground.step('Watch');
  await expect(playground.variables).toContainText('job_');
  await playground.run();
  await playground.sees('SUCCEEDED');
  await expect(playground.answer).toContainText('jobEvents');
});

test('the log of the submitted job is followed to its end', async ({ page }) => {
  const playground = new PlaygroundPage(page);
  await playground.visit(platform.url);
  await playground.logInAsManager();
  await playground.runStep('Submit');
  await expect(playground.track).toContainText('SUBMITTED');

  await playground.runStep('Follow logs');
  const log = page.getByRole('log', { name: 'Events of FollowLogs' });
  await expect(log).toContainText('the log has ended: complete');
  await expect(log.locator('pre.log').first()).not.toBeEmpty();
});

test('the job of a config file is cancelled, and another one succeeds', async ({ page }) => {
  const playground = new PlaygroundPage(page);
  await playground.visit(platform.url);
  await playground.logInAsManager();
  await playground.submitFromCommit();
  await playground.sees('RUNNING');
  await playground.runStep('Cancel');
  await playground.sees('CANCELLED');

  await playground.runStep('Submit commit');
  await playground.sees('SUCCEEDED');
});

test('a lost connection resumes behind the last cursor', async ({ page }) => {
  const playground = new PlaygroundPage(page);
  const sockets: { close(): Promise<void> }[] = [];
  await page.routeWebSocket(/graphql/, (socket) => {
    socket.connectToServer();
    sockets.push(socket);
  });
  await playground.visit(platform.url);
  await playground.logInAsManager();
  await playground.runStep('Submit');
  await expect(playground.track).toContainText('QUEUED');

  await sockets.at(-1)?.close();
  await playground.sees('SUCCEEDED');
  expect(sockets.length).toBeGreaterThan(1);
  const phases = await playground.track.locator('li .phase').allTextContents();
  expect(phases).toEqual(['SUBMITTED', 'QUEUED', 'RUNNING', 'SUCCEEDED']);
});

test('a wrong password is told with its code', async ({ page }) => {
  const playground = new PlaygroundPage(page);
  await playground.visit(platform.url);
  await page.getByLabel('Username').fill('nobody');
  await page.getByLabel('Password').fill('not the password');
  await page.getByLabel('Password').press('Enter');
  await expect(page.getByRole('region', { name: 'Session' }).getByRole('alert')).toContainText(
    'UNAUTHENTICATED',
  );
});

test('a session survives a reload, and ends with log out', async ({ page }) => {
  const playground = new PlaygroundPage(page);
  await playground.visit(platform.url);
  await playground.logInAsManager();
  await page.reload();
  await expect(page.getByTestId('who')).toBeVisible();
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.reload();
  await expect(page.getByLabel('Username')).toBeVisible();
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`the page's own parts are accessible, ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme });
    const playground = new PlaygroundPage(page);
    await playground.visit(platform.url);
    await playground.logInAsManager();
    await playground.runStep('Submit');
    await playground.sees('SUCCEEDED');
    await page.screenshot({ path: resolve(ARTIFACTS, `playground-${colorScheme}.png`) });

    await page.evaluate(axe.source);
    const violations = await page.evaluate(async () => {
      const { axe: checker } = window as unknown as { axe: typeof axe };
      const report = await checker.run({ include: [['.bar'], ['.overview'], ['.guide'], ['.live']] });
      return report.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
    });
    expect(violations).toEqual([]);
  });
}
