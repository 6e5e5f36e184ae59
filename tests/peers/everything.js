// The reference server with every feature of the protocol, by the people who made the protocol.

import path from 'node:path';

import { Program, freePort } from './process.js';

const SERVER = path.resolve(
  import.meta.dirname,
  '../node_modules/@modelcontextprotocol/server-everything/dist/index.js',
);

/** The command that runs it over stdio. */
export const STDIO = [process.execPath, SERVER, 'stdio'];

/** What it prints once it listens, and where. */
const HTTP = {
  streamableHttp: [/listening on port/, '/mcp'],
  sse: [/running on port/, '/sse'],
};

/** It over streamable HTTP, or over HTTP+SSE. The owner ends it. */
export class Everything {
  static async start(owner, transport = 'streamableHttp') {
    const self = new Everything();
    const [listens, where] = HTTP[transport];
    const port = await freePort();
    self.program = new Program(process.execPath, [SERVER, transport], { env: { PORT: String(port) } });
    owner.after(() => self.program.stop());
    self.url = `http://127.0.0.1:${port}${where}`;
    await self.program.prints(listens);
    return self;
  }
}
