// What stands behind the gateway, as plain as can be: it answers every request with what it was told of the caller.

import { once } from 'node:events';
import { createServer } from 'node:http';

/** The owner ends it. */
export class Upstream {
  static async start(owner) {
    const self = new Upstream();
    const server = createServer((request, response) => {
      request.resume().on('end', () => {
        const told = Object.entries(request.headers).filter(([name]) => name.startsWith('x-hallpass-'));
        const caller = Object.fromEntries(told.map(([name, value]) => [name.slice('x-hallpass-'.length), value]));
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: caller }));
      });
    });
    server.listen(0, '127.0.0.1');
    owner.after(() => {
      server.closeAllConnections();
      server.close();
    });
    await once(server, 'listening');
    self.url = `http://127.0.0.1:${server.address().port}/mcp`;
    return self;
  }
}

/** A request that it answers. */
export const PING = { method: 'POST', body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' };

/** What a request has to say of its body, for the streamable HTTP transport. */
export const MCP_HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
