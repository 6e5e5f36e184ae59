// PyPI's fastmcp as a protected MCP server, with its own OAuth proxy before an authorization server.

import path from 'node:path';

import { Program, freePort, temporaryFolder } from './process.js';

/** `cargo xtask setup` makes it, and says where. */
export const PYTHON = process.env.FASTMCP_PYTHON ?? path.resolve(import.meta.dirname, '../../target/tools/fastmcp/bin/python');

/** The client that the proxy is at its upstream. */
export const CLIENT = { client_id: 'the-proxy', client_secret: 'known to the proxy and its upstream alone' };

/** The owner ends it. */
export class FastMcp {
  constructor(port) {
    this.port = port;
    this.origin = `http://127.0.0.1:${port}`;
    this.url = `${this.origin}/mcp`;
    /** How the upstream has to know it. */
    this.client = {
      ...CLIENT,
      redirect_uris: [`${this.origin}/auth/callback`],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'client_secret_basic',
    };
  }

  /** Its upstream has to know its address first. */
  static async atFreePort() {
    return new FastMcp(await freePort());
  }

  async start(owner, upstream) {
    const home = await temporaryFolder();
    owner.after(home.remove);
    this.program = new Program(PYTHON, [path.join(import.meta.dirname, 'fastmcp_proxy.py')], {
      env: {
        PORT: String(this.port),
        UPSTREAM: upstream.issuer,
        UPSTREAM_CLIENT_ID: CLIENT.client_id,
        UPSTREAM_CLIENT_SECRET: CLIENT.client_secret,
        // What it remembers of its clients goes here.
        FASTMCP_HOME: home.folder,
        HOME: home.folder,
        FASTMCP_CHECK_FOR_UPDATES: 'off',
      },
    });
    owner.after(() => this.program.stop());
    await this.program.prints(/Uvicorn running/i, { patience: 60_000 });
  }
}
