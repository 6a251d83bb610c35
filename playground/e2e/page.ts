// The page as a user operates it: the actions of the test.
import { expect, type Locator, type Page } from '@playwright/test';

export class PlaygroundPage {
  /** Every host that the page asked for anything, sockets included. */
  readonly hosts = new Set<string>();
  /** What the browser complained about: a refused resource, an exception. */
  readonly complaints: string[] = [];

  constructor(readonly page: Page) {
    const host = (url: string) => {
      const { protocol, hostname } = new URL(url);
      if (protocol !== 'data:' && protocol !== 'blob:') this.hosts.add(hostname);
    };
    page.on('request', (request) => host(request.url()));
    page.on('websocket', (socket) => host(socket.url()));
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(message.text());
    });
  }

  async visit(url: string): Promise<void> {
    await this.page.goto(url);
    await expect(this.page.locator('.graphiql-editors .monaco-editor').first()).toBeVisible();
  }

  /** Presses the demo user who may do all that the ready operations do. */
  async logInAsManager(): Promise<void> {
    const users = this.page.getByRole('group', { name: 'Log in as a demo user' }).getByRole('button');
    await users
      .filter({ hasText: /manager/i })
      .first()
      .click();
    await expect(this.page.getByTestId('who')).toBeVisible();
  }

  /** Presses a demo user, after whoever was there before has left. */
  async become(username: string): Promise<void> {
    const logOut = this.page.getByRole('button', { name: 'Log out' });
    if (await logOut.isVisible()) await logOut.click();
    const users = this.page.getByRole('group', { name: 'Log in as a demo user' });
    await users.getByRole('button', { name: new RegExp(`^${username} `) }).click();
    await expect(this.page.getByTestId('who')).toContainText(username);
  }

  async logIn(username: string, password: string): Promise<void> {
    const session = this.page.getByRole('region', { name: 'Session' });
    await session.getByLabel('Username').fill(username);
    await session.getByLabel('Password').fill(password);
    await session.getByLabel('Password').press('Enter');
    await expect(this.page.getByTestId('who')).toContainText(username);
  }

  topic(name: string): Locator {
    return this.page
      .getByRole('navigation', { name: 'Topics' })
      .getByRole('button', { name: new RegExp(`^${name}`) });
  }

  /** Opens the tab of a step, and waits until its variables are filled in. */
  async open(topic: string, title: string): Promise<void> {
    await this.topic(topic).click();
    await this.step(title);
    await expect(this.variables).not.toContainText('filled in when');
  }

  /** Runs the open tab, whose operation has this name, and returns what the server answers. */
  async answerTo(operation: string): Promise<string> {
    await expect(this.page.getByRole('tab', { selected: true })).toContainText(operation);
    const answered = this.page.waitForResponse(
      (response) => (response.request().postData() ?? '').includes(`"operationName":"${operation}"`),
      { timeout: 30_000 },
    );
    await this.run();
    return (await answered).text();
  }

  /** Types into the box beside the steps, and waits until it is in the variables. */
  async type(label: string, text: string): Promise<void> {
    await this.page
      .getByRole('navigation', { name: 'Ready operations' })
      .getByRole('textbox', { name: label })
      .or(
        this.page
          .getByRole('navigation', { name: 'Ready operations' })
          .getByRole('combobox', { name: label }),
      )
      .fill(text);
    await expect(this.variables).toContainText(text);
  }

  get hint(): Locator {
    return this.page.getByRole('navigation', { name: 'Ready operations' }).locator('.hint');
  }

  async step(title: string): Promise<void> {
    await this.page
      .getByRole('navigation', { name: 'Ready operations' })
      .getByRole('button', { name: new RegExp(`^\\d?✓? ?${title}( \\((done|locked)\\))?$`) })
      .click();
  }

  async run(): Promise<void> {
    await this.page.locator('.graphiql-execute-button').click();
  }

  /** Opens a step's tab and runs it as soon as its variables are filled in. */
  async runStep(title: string): Promise<void> {
    await this.step(title);
    await expect(this.variables).not.toContainText('filled in when');
    await this.run();
  }

  /** Stores the ready YAML file and submits its commit: a job of half a minute, faster by the server's speed. */
  async submitFromCommit(): Promise<void> {
    await this.runStep('Config file');
    await expect(this.answer).toContainText('commit');
    await this.runStep('Submit commit');
  }

  get variables(): Locator {
    return this.page.locator('.graphiql-editor-tool .view-lines').first();
  }

  get answer(): Locator {
    return this.page.locator('.result-window .view-lines');
  }

  /** The phases of the watched job, newest subscription first. */
  get track(): Locator {
    return this.page.getByTestId('track').first();
  }

  async sees(phase: string): Promise<void> {
    await expect(this.track).toHaveAttribute('data-phase', phase);
  }
}
