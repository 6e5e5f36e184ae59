// PyPI's fastmcp as somebody's authorization server: registration, PKCE, refresh and revocation are its own.

import path from 'node:path';

import { PYTHON } from './fastmcp.js';
import { Program, freePort, temporaryFolder } from './process.js';

/** The owner ends it. */
export class FastMcpIssuer {
  /** `lifetime`: of access tokens, in seconds. */
  static async start(owner, { lifetime = 3600 } = {}) {
    const self = new FastMcpIssuer();
    const [home, port] = [await temporaryFolder(), await freePort()];
    owner.after(home.remove);
    // Its metadata says the name with a slash.
    self.issuer = `http://127.0.0.1:${port}/`;
    self.keys = `${self.issuer}jwks`;
    self.program = new Program(PYTHON, [path.join(import.meta.dirname, 'fastmcp_issuer.py')], {
      env: { PORT: String(port), LIFETIME: String(lifetime), FASTMCP_HOME: home.folder, HOME: home.folder, FASTMCP_CHECK_FOR_UPDATES: 'off' },
    });
    owner.after(() => self.program.stop());
    await self.program.prints(/Uvicorn running/i, { patience: 60_000 });
    return self;
  }
}
