// Stands before a server and notes what arrives there. All else goes through as it is.

import { once } from 'node:events';
import { Agent, createServer } from 'node:http';

import { pass } from './forwarder.js';

/** The owner ends it. */
export class Witness {
  /** The fields of each request. */
  seen = [];

  /** @param {string} endpoint where everything goes */
  static async start(owner, endpoint) {
    const self = new Witness();
    const to = new URL(endpoint);
    const agent = new Agent({ keepAlive: true });
    const server = createServer((request, response) => {
      self.seen.push(request.headers);
      pass(request, response, { to, agent, own: server.address().port });
    });
    // A stream may be silent for as long as it likes.
    server.requestTimeout = 0;
    server.listen(0, 'localhost');
    owner.after(() => {
      agent.destroy();
      server.closeAllConnections();
      server.close();
    });
    await once(server, 'listening');
    self.url = `http://localhost:${server.address().port}${to.pathname}`;
    return self;
  }

  /** What stood in that field of each request, once, in order. */
  values(field) {
    return [...new Set(this.seen.map((fields) => fields[field]))];
  }
}
