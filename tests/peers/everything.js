// The reference server with every feature of the protocol, by the people who made the protocol.

import path from 'node:path';

import { Program, freePort } from './process.js';

const SERVER = path.resolve(
  import.meta.dirname,
  '../node_modules/@modelcontextprotocol/server-everything/dist/index.js',
);

/** The command that runs it over stdio. */
export const STDIO = [process.execPath, SERVER, 'stdio'];

/** It over streamable HTTP. The owner ends it. */
export class Everything {
  static async start(owner) {
    const self = new Everything();
    const port = await freePort();
    self.program = new Program(process.execPath, [SERVER, 'streamableHttp'], { env: { PORT: String(port) } });
    owner.after(() => self.program.stop());
    self.url = `http://127.0.0.1:${port}/mcp`;
    await self.program.prints(/listening on port/);
    return self;
  }
}
