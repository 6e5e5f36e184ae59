// The TypeScript SDK's own example: an MCP server with OAuth, and its demonstration authorization server beside it.

import path from 'node:path';

import { Program, freePort } from './process.js';

const SERVER = path.resolve(
  import.meta.dirname,
  '../node_modules/@modelcontextprotocol/sdk/dist/esm/examples/server/simpleStreamableHttp.js',
);

/** Both in one process. The owner ends it. */
export class SdkExample {
  /** Takes tokens for this very server only (`--oauth-strict`). */
  static async start(owner) {
    const self = new SdkExample();
    const [mcp, as] = [await freePort(), await freePort()];
    self.program = new Program(process.execPath, [SERVER, '--oauth', '--oauth-strict'], {
      env: { MCP_PORT: String(mcp), MCP_AUTH_PORT: String(as) },
    });
    owner.after(() => self.program.stop());
    self.url = `http://localhost:${mcp}/mcp`;
    await self.program.prints(/Authorization Server listening/);
    await self.program.prints(/HTTP Server listening/);
    return self;
  }
}
