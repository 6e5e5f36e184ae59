// hallpass as somebody's client: its data folder, and the browser that it would open.

import { access, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { getDefaultEnvironment, StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

import { HALLPASS } from './hallpass.js';
import { Program, run, temporaryFolder, waitFor } from './process.js';
import { newClient } from './sdk-client.js';

/** One person's hallpass. The owner ends what it starts. */
export class Installation {
  #owner;

  static async make(owner) {
    const self = new Installation();
    self.#owner = owner;
    const { folder, remove } = await temporaryFolder();
    owner.after(remove);
    self.folder = folder;
    self.opener = await NotingOpener.install(folder);
    return self;
  }

  /** Starts a command that may want a login. `env` comes before this installation's own. */
  start(args, { env } = {}) {
    const program = new Program(HALLPASS, ['--data', this.folder, ...args], {
      env: { NO_COLOR: '1', ...this.opener.environment, ...env },
    });
    this.#owner.after(() => program.stop());
    return program;
  }

  /** Runs a command to its good end, and gives what it printed. */
  async run(args) {
    return run(HALLPASS, ['--data', this.folder, ...args], { env: { NO_COLOR: '1', ...this.opener.environment } });
  }

  /** Runs a command to its end, and lets a person answer where it sends the browser. */
  async endAfterLogin(args, answer) {
    await this.opener.forget();
    const program = this.start(args);
    // A command that fails before it opens a browser shows here why.
    await answer(await this.opener.wasAskedFor(() => program.output(), program));
    await program.end();
    return program;
  }

  /** The same to a good end; gives what the command printed. */
  async runWithLogin(args, answer) {
    const program = await this.endAfterLogin(args, answer);
    if (program.how !== 0) throw new Error(`${args.join(' ')} ended with ${program.how}\n${program.output()}`);
    return program.stdout;
  }

  /** Starts `connect`, and an MCP client that speaks to it. */
  bridge(args) {
    const transport = new StdioClientTransport({
      command: HALLPASS,
      args: ['--data', this.folder, 'connect', ...args],
      env: { ...getDefaultEnvironment(), ...this.opener.environment },
      stderr: 'pipe',
    });
    let said = '';
    transport.stderr.on('data', (text) => (said += text));
    const client = newClient();
    this.#owner.after(() => client.close());
    return { client, connected: client.connect(transport), said: () => said };
  }

  /** Calls one tool through `connect`, which needs no browser any more. */
  async callTool(args, name, input = {}) {
    await this.opener.forget();
    const { client, connected, said } = this.bridge(args);
    await connected.catch((error) => {
      throw new Error(`connect does not connect: ${error.message}\n${said()}`);
    });
    const result = await client.callTool({ name, arguments: input });
    await client.close();
    if (await this.opener.wasAsked()) throw new Error('connect opened a browser, although a login was stored');
    return result;
  }
}

/** Stands where hallpass looks for a browser, and notes the URL that it is to open. */
class NotingOpener {
  static async install(folder) {
    const self = new NotingOpener();
    const script = path.join(folder, 'browser');
    self.note = path.join(folder, 'url');
    await writeFile(script, `#!/bin/sh\nprintf %s "$1" > '${self.note}.part' && mv '${self.note}.part' '${self.note}'\n`, {
      mode: 0o755,
    });
    self.environment = { BROWSER: script };
    return self;
  }

  async wasAsked() {
    return access(this.note).then(
      () => true,
      () => false,
    );
  }

  /** The URL to open. `program`, if given, must not end before. */
  async wasAskedFor(said, program) {
    await waitFor(
      async () => {
        if (await this.wasAsked()) return true;
        if (program?.ended) throw new Error(`it ended without opening a browser:\n${said()}`);
      },
      { patience: 20_000, why: () => `no browser was opened; it said:\n${said()}` },
    );
    return readFile(this.note, 'utf8');
  }

  async forget() {
    await rm(this.note, { force: true });
  }
}
