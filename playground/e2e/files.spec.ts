// The files of storage claims in a browser: uploaded, downloaded, only read, and never run as a page of ours.
import { expect, test, type Page } from '@playwright/test';
import { PlaygroundPage } from './page';
import { startPlatform, type Platform } from './platform';

let platform: Platform;

test.beforeAll(async () => {
  platform = await startPlatform();
});
test.afterAll(() => platform.stop());

async function chooseClaim({ page }: PlaygroundPage, name: string): Promise<void> {
  const choice = page.getByRole('combobox', { name: 'Claim' });
  await expect(choice).toContainText(name);
  await choice.selectOption(await choice.locator('option', { hasText: name }).textContent());
}

/** Presses Files beside the chosen claim, and waits for the page that it opens. */
async function filesOf({ page }: PlaygroundPage): Promise<Page> {
  const opened = page.waitForEvent('popup');
  await page.getByRole('button', { name: /^Files of / }).click();
  const files = await opened;
  await files.waitForURL(/\/files\/[^/]+\/$/);
  await expect(files.getByRole('heading')).toContainText('Index of /');
  return files;
}

async function upload(files: Page, name: string, mimeType: string, text: string): Promise<void> {
  await files.getByLabel('Files').setInputFiles({ name, mimeType, buffer: Buffer.from(text) });
  await files.getByRole('button', { name: 'Upload' }).click();
  await expect(files.getByRole('link', { name, exact: true })).toBeVisible();
}

test('a drive takes a file through the page, and gives it back', async ({ page }) => {
  const playground = new PlaygroundPage(page);
  await playground.visit(platform.url);
  await playground.become('ada');
  await playground.open('Storage', 'My drive');
  expect(await playground.answerTo('CreateDrive')).toContain('"created":true');
  await playground.open('Storage', 'Open files');
  await expect(page.getByRole('combobox', { name: 'Claim' })).toContainText('drive of ada');

  const files = await filesOf(playground);
  await upload(files, 'a note & more.txt', 'text/plain', 'What I found today.');
  await files.getByRole('link', { name: 'a note & more.txt' }).click();
  await expect(files.locator('body')).toHaveText('What I found today.');
  await files.goBack();

  await upload(files, 'table.bin', 'application/octet-stream', 'a table');
  const download = files.waitForEvent('download');
  await files.getByRole('link', { name: 'table.bin' }).click();
  const stream = await (await download).createReadStream();
  expect(Buffer.concat(await stream.toArray()).toString()).toBe('a table');

  await files.getByRole('button', { name: 'Delete' }).first().click();
  await expect(files.getByRole('link', { name: 'a note & more.txt' })).toHaveCount(0);
});

test('a page that somebody uploaded does not run as a page of the platform', async ({ page }) => {
  const playground = new PlaygroundPage(page);
  await playground.visit(platform.url);
  await playground.become('ada');
  await playground.open('Storage', 'My drive');
  await playground.answerTo('CreateDrive');
  await playground.open('Storage', 'Open files');
  const files = await filesOf(playground);
  const evil = `<!DOCTYPE html><title>quiet</title><p id="text">A page.</p>
    <script>document.title = 'ran'; fetch('/graphql');</script>`;
  await upload(files, 'evil.html', 'text/html', evil);

  const asked: string[] = [];
  files.on('request', (request) => asked.push(new URL(request.url()).pathname));
  const answered = files.waitForResponse((response) => response.url().endsWith('/evil.html'));
  await files.getByRole('link', { name: 'evil.html' }).click();
  const headers = (await answered).headers();
  expect(headers['content-security-policy']).toMatch(/\bsandbox\b(?!.*allow-scripts)/);
  expect(headers['x-content-type-options']).toBe('nosniff');
  await expect(files.locator('#text')).toHaveText('A page.');
  expect(await files.title()).toBe('quiet');
  expect(asked).not.toContain('/graphql');
});

test('whoever may only read sees no upload, and cannot upload', async ({ page, browser }) => {
  const keeper = new PlaygroundPage(page);
  await keeper.visit(platform.url);
  await keeper.become('maya');
  await keeper.open('Storage', 'Create');
  await keeper.type('Name', 'datasets');
  expect(await keeper.answerTo('CreateClaim')).toContain('"name":"datasets"');
  await keeper.open('Storage', 'Open files');
  await chooseClaim(keeper, 'datasets');
  await upload(await filesOf(keeper), 'set.txt', 'text/plain', 'one, two');
  await keeper.open('Storage', 'Permissions');
  await keeper.type('Username', 'ada');
  expect(await keeper.answerTo('SetStoragePermissions')).toContain('"access":"READ"');

  const reader = new PlaygroundPage(await (await browser.newContext()).newPage());
  await reader.visit(platform.url);
  await reader.become('ada');
  await reader.open('Storage', 'Open files');
  await chooseClaim(reader, 'datasets');
  const files = await filesOf(reader);
  await expect(files.getByRole('link', { name: 'set.txt' })).toBeVisible();
  await expect(files.getByRole('button', { name: 'Upload' })).toHaveCount(0);
  await expect(files.getByRole('button', { name: 'Delete' })).toHaveCount(0);
  const status = await files.evaluate(async () => {
    const answer = await fetch('mine.txt', { method: 'PUT', body: 'mine' });
    return answer.status;
  });
  expect([403, 405]).toContain(status);
});
