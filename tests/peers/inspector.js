// The MCP Inspector, by the people who made the protocol: its command line, and its page.

import path from 'node:path';

import { freePort, Program, temporaryFolder } from './process.js';

const LAUNCHER = path.resolve(
  import.meta.dirname,
  '../node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js',
);

/** One person's Inspector, with a home of its own. The owner ends what it starts. */
export class Inspector {
  static async install(owner) {
    const self = new Inspector();
    const { folder, remove } = await temporaryFolder();
    self.home = folder;
    owner.after(async () => {
      await self.program?.stop();
      await remove();
    });
    return self;
  }

  /** Calls a tool from the command line; `answer` gets the authorization URL that it prints. Gives the tool's result. */
  async callTool(url, name, args, answer) {
    const callback = `http://127.0.0.1:${await freePort()}/oauth/callback`;
    const tool = ['--method', 'tools/call', '--tool-name', name, '--tool-args-json', JSON.stringify(args)];
    // It prints the URL where it believes that it could open a browser, and the browser here is one that does nothing.
    this.#start(['--cli', '--server-url', url, '--callback-url', callback, ...tool], { MCP_AUTO_OPEN_ENABLED: 'true' });
    const [, authorizationUrl] = await this.program.prints(/navigate to: (http\S+)/);
    await answer(authorizationUrl);
    const how = await this.program.end();
    if (how !== 0) throw new Error(`it ended with ${how}\n${this.program.output()}`);
    return JSON.parse(this.program.stdout);
  }

  /** Serves its page for one MCP server; gives the page's URL. */
  async serve(url) {
    this.#start(['--web', '--transport', 'http', '--server-url', url], {
      CLIENT_PORT: String(await freePort()),
      MCP_SANDBOX_PORT: String(await freePort()),
      MCP_AUTO_OPEN_ENABLED: 'false',
    });
    const [page] = await this.program.prints(/http:\/\/127\.0\.0\.1:\d+\?MCP_INSPECTOR_API_TOKEN=\w+/);
    return page;
  }

  #start(args, environment) {
    this.program = new Program(process.execPath, [LAUNCHER, ...args], {
      env: { HOME: this.home, BROWSER: 'true', DISPLAY: '', WAYLAND_DISPLAY: '', MCP_INSPECTOR_SECRET_STORE: 'memory', ...environment },
    });
  }
}
