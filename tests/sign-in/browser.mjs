// As much of a browser as a sign-in needs: cookies for each origin, redirects one at a time, forms.

export class Browser {
  #cookies = new Map();

  /** The cookies of an origin, by name. */
  cookies(origin) {
    if (!this.#cookies.has(origin)) this.#cookies.set(origin, new Map());
    return this.#cookies.get(origin);
  }

  /** Sends a request and keeps its cookies; follows no redirect. */
  async go(url, { form, ...init } = {}) {
    const { origin } = new URL(url);
    const jar = this.cookies(origin);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, {
      redirect: 'manual',
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
      ...init,
      headers: { ...(cookie && { cookie }), ...init.headers },
    });
    for (const line of response.headers.getSetCookie()) {
      const [pair] = line.split(';');
      const at = pair.indexOf('=');
      const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
      if (value && !/max-age=0|1970/i.test(line)) jar.set(name, value);
      else jar.delete(name);
    }
    const location = response.headers.get('location');
    return { response, status: response.status, location: location && new URL(location, url).href };
  }

  /** Follows redirects while they stay on `origin`; the URL of another origin, or the last response. */
  async follow(url, origin) {
    for (let hops = 0; hops < 12; hops += 1) {
      const step = await this.go(url);
      if (!step.location) return { ...step, url };
      if (new URL(step.location).origin !== origin) return step;
      url = step.location;
    }
    throw new Error(`too many redirects at ${url}`);
  }

  /** Signs `login` in on the page that the provider shows at `url`, and consents; where the provider redirects to then. */
  async signIn(url, login) {
    const { origin } = new URL(url);
    let at = await this.follow(url, origin);
    for (let pages = 0; pages < 4 && at.url; pages += 1) {
      const page = await at.response.text();
      const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1];
      if (!prompt) return { ...at, page };
      const step = await this.go(at.url, { form: { prompt, login, password: 'x' } });
      if (new URL(step.location).origin !== origin) return step;
      at = await this.follow(step.location, origin);
    }
    return at;
  }
}
