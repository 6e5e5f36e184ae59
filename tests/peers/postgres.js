// A PostgreSQL cluster in a temporary folder: made by `initdb`, reached by a socket, gone with its owner.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFile, chmod, chown, mkdir, readFile } from 'node:fs/promises';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';

import { run, temporaryFolder } from './process.js';

const USER = 'hallpass';

/** Fast and forgetful: what a test needs. Nothing here changes how statements and locks behave. */
export const FORGETFUL = { fsync: 'off', full_page_writes: 'off' };

/** The owner ends it. */
export class Postgres {
  static async start(owner, settings = FORGETFUL) {
    const self = new Postgres();
    const { folder, remove } = await temporaryFolder();
    // It is nobody's child; a test that is killed takes it with it all the same.
    const end = () => self.pid && process.kill(self.pid, 'SIGQUIT');
    process.once('exit', end);
    owner.after(async () => {
      process.off('exit', end);
      if (self.pid) await self.#control('--mode', 'immediate', 'stop');
      await remove();
    });
    self.folder = path.join(folder, 'pg');
    self.as = otherUser();
    // That user has to get there.
    await chmod(folder, 0o755);
    await mkdir(self.folder, { mode: 0o700 });
    if (self.as) await chown(self.folder, self.as.uid, self.as.gid);
    await self.#run('initdb', ['--no-sync', '--auth', 'trust', '--username', USER, '--encoding', 'UTF8', '--locale', 'C', '--pgdata', self.folder]);
    const all = { listen_addresses: '', unix_socket_directories: self.folder, timezone: 'UTC', ...settings };
    const lines = Object.entries(all).map(([name, value]) => `${name} = '${value}'\n`);
    await appendFile(path.join(self.folder, 'postgresql.conf'), lines.join(''));
    await self.#control('--log', path.join(self.folder, 'log'), 'start');
    self.pid = Number((await readFile(path.join(self.folder, 'postmaster.pid'), 'utf8')).split('\n')[0]);
    return self;
  }

  /** A new, empty schema, as a URL that leads into it. */
  async newSchema() {
    const schema = `test_${randomBytes(8).toString('hex')}`;
    await this.sql(`CREATE SCHEMA ${schema}`);
    return `postgres://${USER}@${encodeURIComponent(this.folder)}/postgres?options=-csearch_path%3D${schema}`;
  }

  /** Runs statements as superuser, and gives what they print. */
  async sql(statements, { schema, patience = 120_000 } = {}) {
    const text = schema ? `SET search_path TO ${schema};\n${statements}` : statements;
    const args = ['--no-psqlrc', '--quiet', '--tuples-only', '--no-align', '--set', 'ON_ERROR_STOP=1'];
    return this.#run('psql', [...args, '--host', this.folder, '--username', USER, 'postgres'], { input: text, patience });
  }

  #control(...args) {
    return this.#run('pg_ctl', ['--wait', '--silent', '--pgdata', this.folder, ...args]);
  }

  #run(name, args, options = {}) {
    // On a busy machine a new cluster takes half a minute.
    return run(program(name), args, { patience: 120_000, ...options, ...this.as, cwd: '/', env: { LC_ALL: 'C' } });
  }
}

/** Debian keeps PostgreSQL's programs out of the search path. */
function program(name) {
  const debian = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql').sort().reverse() : [];
  const folders = [...debian.map((version) => `/usr/lib/postgresql/${version}/bin`), ...process.env.PATH.split(':')];
  const folder = folders.find((folder) => existsSync(path.join(folder, 'initdb')));
  if (!folder) throw new Error('PostgreSQL is missing: `cargo xtask setup` installs it where it can');
  return path.join(folder, name);
}

/** PostgreSQL refuses to run as root. Debian's package makes a user for it. */
function otherUser() {
  if (process.getuid() !== 0) return undefined;
  const id = (...args) => Number(execFileSync('id', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  for (const name of ['postgres', 'nobody']) {
    try {
      return { uid: id('-u', name), gid: id('-g', name) };
    } catch {
      // There is no such user.
    }
  }
  throw new Error('there is no user to run PostgreSQL as');
}
