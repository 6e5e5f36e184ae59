// The address that the browser comes back to, as an installed application listens on it (RFC 8252 §7.3).

import { createServer } from 'node:http';
import { once } from 'node:events';

/** The owner ends it. */
export class Callback {
  #server;
  #arrived = [];
  #waiting = [];

  static async listen(owner) {
    const self = new Callback();
    self.#server = createServer((request, response) => {
      const url = new URL(request.url, self.url);
      if (url.pathname !== '/callback') {
        response.writeHead(404).end();
        return;
      }
      response.writeHead(200, { 'content-type': 'text/plain' }).end('The application has its answer.');
      const waiting = self.#waiting.shift();
      waiting ? waiting(url.searchParams) : self.#arrived.push(url.searchParams);
    });
    self.#server.listen(0, '127.0.0.1');
    owner.after(() => self.#close());
    await once(self.#server, 'listening');
    self.url = `http://127.0.0.1:${self.#server.address().port}/callback`;
    return self;
  }

  /** The parameters of the next authorization response. */
  async response({ patience = 20_000 } = {}) {
    if (this.#arrived.length > 0) return this.#arrived.shift();
    let timer;
    return new Promise((resolve, reject) => {
      this.#waiting.push(resolve);
      timer = setTimeout(() => reject(new Error('the browser did not come back to the callback')), patience);
    }).finally(() => clearTimeout(timer));
  }

  async #close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
