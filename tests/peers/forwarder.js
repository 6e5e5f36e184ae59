// Adds a token to whatever passes, for programs that cannot send one. All else goes through as it is: fields in their
// order and spelling, bodies and streams piece by piece, an end on one side as an end on the other.

import { once } from 'node:events';
import { Agent, createServer, request as send } from 'node:http';

/** The owner ends it. */
export class Forwarder {
  /**
   * @param {{after: (end: () => void) => void}} owner
   * @param {string} endpoint where everything goes
   * @param {() => Promise<string>} token gives the token of the moment
   */
  static async start(owner, endpoint, token) {
    const self = new Forwarder();
    const to = new URL(endpoint);
    const agent = new Agent({ keepAlive: true });
    const server = createServer((request, response) => {
      token().then(
        (token) => pass(request, response, { to, agent, adds: ['Authorization', `Bearer ${token}`], own: server.address().port }),
        (error) => response.destroy(error),
      );
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
}

/** Carries one request to `to`, with fields `adds` beside its own, and the answer back. `own` is the port that it came to. */
export function pass(request, response, { to, agent, adds = [], own }) {
  const onward = send({
    host: to.hostname,
    port: to.port,
    method: request.method,
    path: request.url,
    headers: [...renamed(request.rawHeaders, `localhost:${own}`, to.host), ...adds],
    agent,
  });
  // What it sends is asked for at once, and waits for nothing.
  onward.setNoDelay(true);
  request.socket.setNoDelay(true);
  onward.once('response', (answer) => {
    response.sendDate = false;
    response.writeHead(answer.statusCode, answer.statusMessage, answer.rawHeaders);
    // A stream begins with its head, before there is any event.
    response.flushHeaders();
    answer.pipe(response);
    answer.once('error', () => response.destroy());
    answer.once('aborted', () => response.destroy());
  });
  onward.once('error', () => response.destroy());
  response.once('close', () => onward.destroy());
  request.once('error', () => onward.destroy());
  request.pipe(onward);
}

/** Who asked the forwarder by its own name means what is behind it; every other name is left as it is. */
function renamed(fields, own, other) {
  return fields.map((field, at) => {
    const name = fields[at - 1]?.toLowerCase();
    if (at % 2 === 0 || !['host', 'origin'].includes(name)) return field;
    return field === own ? other : field === `http://${own}` ? `http://${other}` : field;
  });
}
