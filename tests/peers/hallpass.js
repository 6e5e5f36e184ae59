// The hallpass that is tested: the program itself, as people run it.

import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { Program, run, temporaryFolder } from './process.js';

/** `cargo xtask` says which program that is; by hand it is the one that cargo built last. */
export const HALLPASS =
  process.env.HALLPASS ?? path.resolve(import.meta.dirname, '../../target/debug/hallpass');

export const ALICE = { name: 'alice', password: 'correct horse battery staple' };

/** A `hallpass serve` with data of its own on a free port. The owner ends it. */
export class Hallpass {
  /**
   * @param {{after: (end: () => Promise<void>) => void}} owner a test, or a `Script`
   * @param {string[]} args what follows `serve`
   * @param {{user?: {name: string, password: string} | null, clients?: (string[] | {add: string[], secret: string})[],
   *   port?: number, config?: string, through?: string[]}} options
   *   the user to make beforehand (null: none), `client add` lines, a port, a configuration file, and a command that
   *   runs the program, such as `taskset -c 1`
   */
  static async serve(owner, args, { user = ALICE, clients = [], port = 0, config, through = [] } = {}) {
    const data = await temporaryFolder();
    const self = new Hallpass();
    owner.after(async () => {
      await self.program?.stop();
      await data.remove();
    });
    self.data = data;
    self.options = ['--data', data.folder];
    if (config) {
      const file = path.join(data.folder, 'hallpass.toml');
      await writeFile(file, config);
      self.options.push('--config', file);
    }
    if (user) {
      await self.administer(['user', 'add', user.name, '--password-stdin'], `${user.password}\n`);
    }
    for (const client of clients) {
      if (client.secret) await self.administer(['client', 'add', ...client.add, '--secret-stdin'], `${client.secret}\n`);
      else await self.administer(['client', 'add', ...client]);
    }
    self.command = [...through, HALLPASS, ...self.options, 'serve', '--listen', `localhost:${port}`, ...args];
    const [program, ...rest] = self.command;
    self.program = new Program(program, rest, { env: { NO_COLOR: '1' } });
    // Of several servers it prints a list, and nothing of it is the one.
    const [, endpoint] = await self.program.prints(/MCP endpoint\s+(https?:\S+)|protects \d+ MCP servers/);
    self.endpoint = endpoint;
    self.issuer = endpoint && new URL('/', endpoint).origin;
    return self;
  }

  /** Runs a command on its data. */
  async administer(args, input) {
    return run(HALLPASS, [...this.options, ...args], { input });
  }

  /** What `serve` printed after a label, such as `Password`. */
  async printed(label) {
    const [, value] = await this.program.prints(new RegExp(`${label}\\s+(\\S+)`));
    return value;
  }
}
