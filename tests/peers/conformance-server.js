// The full MCP server on rmcp that this repository has for the official suite.

import path from 'node:path';

import { HALLPASS } from './hallpass.js';
import { Program } from './process.js';

const SERVER = process.env.CONFORMANCE_SERVER ?? path.join(path.dirname(HALLPASS), 'examples/conformance_server');

/** The command that runs it over stdio. */
export const STDIO = [SERVER, '--stdio'];

/** It over streamable HTTP. The owner ends it. */
export class ConformanceServer {
  static async start(owner) {
    const self = new ConformanceServer();
    self.program = new Program(SERVER, [], { env: { PORT: '0' } });
    owner.after(() => self.program.stop());
    [, self.url] = await self.program.prints(/listening on (http:\S+)/);
    return self;
  }
}
