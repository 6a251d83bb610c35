// The work of each role through the page: a newcomer is let in, joins a group, asks for limits and gets them.
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from '@playwright/test';
import axe from 'axe-core';
import { PlaygroundPage } from './page';
import { startPlatform, type Platform } from './platform';

const ARTIFACTS = resolve(import.meta.dirname, '../../tests/artifacts');
const PASSWORD = 'a garden of 7 owls';
let platform: Platform;

test.beforeAll(async () => {
  mkdirSync(ARTIFACTS, { recursive: true });
  platform = await startPlatform();
});
test.afterAll(() => platform.stop());

test('a newcomer is let in, joins a group, and gets the limits that they ask for', async ({
  page,
  browser,
}) => {
  const staff = new PlaygroundPage(page);
  const nina = new PlaygroundPage(await (await browser.newContext()).newPage());
  await staff.visit(platform.url);
  await nina.visit(platform.url);

  await test.step('the newcomer registers, and waits', async () => {
    await nina.open('Account', 'Register');
    expect(await nina.answerTo('Register')).toContain('"state":"WAITING"');
  });

  await test.step('the platform admin lets her in, and appoints an admin for the group', async () => {
    await staff.become('admin');
    await expect(staff.topic('People')).toContainText('1');
    await staff.open('People', 'Approve');
    await expect(page.getByRole('combobox', { name: 'Person' })).toContainText('nina (waiting)');
    expect(await staff.answerTo('ApprovePerson')).toMatch(/"username":"nina","state":"ACTIVE"/);
    await expect(staff.hint).toHaveText('Nobody waits for approval, and no account is disabled.');

    await page.getByRole('combobox', { name: 'Group' }).selectOption('vision');
    await staff.open('Groups', 'Add members');
    await staff.type('Username', 'ben');
    expect(await staff.answerTo('AddMembers')).toContain('"outcome":"ADDED"');
    await staff.open('Groups', 'Appoint admin');
    await page.getByRole('combobox', { name: 'Member' }).selectOption('ben (member)');
    expect(await staff.answerTo('AppointAdmin')).toContain('"role":"ADMIN"');
  });

  await test.step('the group admin makes her a member', async () => {
    await staff.become('ben');
    await expect(page.getByTestId('who')).toContainText('admin of vision');
    await staff.open('Groups', 'Add members');
    await staff.type('Username', 'nina');
    expect(await staff.answerTo('AddMembers')).toContain('"outcome":"ADDED"');
  });

  await test.step('the manager limits the project', async () => {
    await staff.become('maya');
    await staff.open('Projects', 'Limits');
    expect(await staff.answerTo('SetProjectLimits')).toContain('"cpu":"16"');
  });

  await test.step('the member asks for more, and waits for the answer', async () => {
    await nina.logIn('nina', PASSWORD);
    await expect(nina.page.getByTestId('who')).toContainText('member of vision');
    await nina.open('Notifications', 'Follow');
    await nina.run();
    await expect(nina.page.getByRole('button', { name: /^FollowNotifications 0 events/ })).toBeVisible();
    await nina.open('Requests', 'Ask for limits');
    expect(await nina.answerTo('AskForLimits')).toContain('"status":"OPEN"');
  });

  await test.step('the manager resolves the request', async () => {
    await expect(staff.topic('Requests')).toContainText('1 to decide');
    await staff.open('Requests', 'Resolve');
    await expect(page.getByRole('combobox', { name: 'Request' })).toContainText(
      'More CPUs for the project (nina, open)',
    );
    expect(await staff.answerTo('ResolveRequest')).toMatch(/"status":"RESOLVED","appliedAt":"/);
  });

  await test.step('the member sees it at once, and marks it as read', async () => {
    const log = nina.page.getByRole('log', { name: 'Events of FollowNotifications' });
    await expect(log).toContainText('request answered');
    await expect(log).toContainText('More CPUs for the project');
    await expect(nina.topic('Notifications')).toContainText(/\d unread/);
    await nina.page.screenshot({ path: resolve(ARTIFACTS, 'playground-member.png') });
    await nina.open('Notifications', 'Mark all read');
    expect(await nina.answerTo('MarkRead')).toMatch(/"marked":[1-9]/);
    await expect(nina.topic('Notifications')).toHaveText('Notifications');
  });

  await test.step('the platform admin finds all of it in the audit log', async () => {
    await staff.become('admin');
    await staff.open('Audit log', 'Latest');
    const log = await staff.answerTo('AuditLog');
    for (const action of [
      'register',
      'enableUser',
      'addGroupMembers',
      'setProjectLimits',
      'resolveRequest',
    ]) {
      expect(log).toContain(`"action":"${action}"`);
    }
  });

  expect([...staff.complaints, ...nina.complaints]).toEqual([]);
});

test('what is not for the viewer is locked, and says why, to everybody', async ({ page }) => {
  const playground = new PlaygroundPage(page);
  await playground.visit(platform.url);
  await playground.become('ada');
  await expect(playground.topic('Audit log')).toContainText('(locked)');

  await playground.topic('Groups').click();
  const steps = page.getByRole('navigation', { name: 'Ready operations' });
  const add = steps.getByRole('button', { name: 'Add members (locked)' });
  await expect(add).toHaveAttribute('aria-disabled', 'true');
  await add.focus();
  await page.keyboard.press('Enter');
  await expect(playground.hint).toHaveText(
    'Admins of the group and platform admins can do this. You are a member of vision.',
  );
  await expect(page.getByRole('tab', { name: 'AddMembers' })).toHaveCount(0);

  await page.getByRole('button', { name: 'What you can do' }).click();
  const rights = page.getByRole('region', { name: 'What you can do' });
  await expect(rights).toContainText('Group vision as member');
  await expect(rights).toContainText('See a group, its members and its projects.');
  await rights.getByText('not allowed').last().click();
  await page.evaluate(axe.source);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const violations = await page.evaluate(async () => {
      const { axe: checker } = window as unknown as { axe: typeof axe };
      const report = await checker.run({ include: [['.bar'], ['.overview'], ['.guide'], ['.live']] });
      return report.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
    });
    expect(violations, colorScheme).toEqual([]);
  }
  await page.keyboard.press('Escape');
  await expect(rights).toBeHidden();
});

test('a narrow screen needs no scrolling sideways', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  const playground = new PlaygroundPage(page);
  await playground.visit(platform.url);
  await playground.become('maya');
  await playground.open('Projects', 'Limits');
  expect(await playground.answerTo('SetProjectLimits')).toContain('"cpu":"16"');
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(width).toBeLessThanOrEqual(390);
});
