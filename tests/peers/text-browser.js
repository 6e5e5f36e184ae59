// A person with a browser that knows nothing but text, cookies and forms: what pages are without a style and a script.

const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** One browser with cookies of its own, for the pages of one server. */
export class TextBrowser {
  #cookies = new Map();
  /** The page that is shown. */
  html = '';

  /** Opens a page. Gives the URL of another server, where the page leads there, and shows nothing then. */
  async open(url) {
    return this.#go(new URL(url));
  }

  /** Logs in and allows what is asked; gives the URL of the client that the answer goes to. */
  async allow(url, user) {
    let left = await this.open(url);
    if (!left && this.#form(/type="password"/)) left = await this.logIn(user);
    return left ?? (await this.send(/name="decision"/, { decision: 'allow' }));
  }

  async logIn({ name, password }) {
    return this.send(/type="password"/, { username: name, password });
  }

  /** Fills the form that has this in it, and sends it. */
  async send(marked, fields) {
    const form = this.#form(marked);
    if (!form) throw new Error(`no form has ${marked}\n${this.url}\n${this.html}`);
    const body = new URLSearchParams();
    for (const [tag] of form.matchAll(/<input\b[^>]*>/g)) {
      if (attribute(tag, 'name')) body.set(attribute(tag, 'name'), attribute(tag, 'value') ?? '');
    }
    for (const [name, value] of Object.entries(fields)) body.set(name, value);
    const action = new URL(attribute(form, 'action'), this.url);
    if (attribute(form, 'method') !== 'post') {
      action.search = body;
      return this.#go(action);
    }
    return this.#go(action, body);
  }

  #form(marked) {
    return [...this.html.matchAll(/<form\b.*?<\/form>/gs)].map(([form]) => form).find((form) => marked.test(form));
  }

  async #go(url, body) {
    const { origin } = url;
    for (let steps = 0; steps < 10; steps += 1) {
      const answer = await fetch(url, {
        method: body ? 'POST' : 'GET',
        body,
        redirect: 'manual',
        headers: { cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      });
      this.#remember(answer.headers.getSetCookie());
      [this.url, this.html] = [url, await answer.text()];
      const location = answer.headers.get('location');
      if (!location) {
        if (!answer.ok) throw new Error(`${url} answered ${answer.status}\n${this.html}`);
        return undefined;
      }
      [url, body] = [new URL(location, url), undefined];
      if (url.origin !== origin) {
        this.html = '';
        return url;
      }
    }
    throw new Error(`it goes on and on: ${url}`);
  }

  #remember(fields) {
    for (const field of fields) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(field);
      if (/max-age=0\b/i.test(field)) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
  }
}

/** The first attribute of that name in this piece of a page. */
function attribute(tag, name) {
  const found = new RegExp(`\\b${name}="([^"]*)"`).exec(tag);
  return found?.[1].replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (_, hex, decimal, word) =>
    word ? ENTITIES[word] : String.fromCodePoint(hex ? parseInt(hex, 16) : Number(decimal)),
  );
}
