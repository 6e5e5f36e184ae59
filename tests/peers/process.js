// Starting other programs, and being sure that they end.

import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

const running = new Set();

// A test that dies takes its programs with it, however it dies.
process.on('exit', () => running.forEach((one) => one.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => process.exit(1));
}

/** A program in a process group of its own. What it prints is kept. */
export class Program {
  #child;
  #ended;
  #listeners = new Set();
  stdout = '';
  stderr = '';

  constructor(command, args, { env = {}, cwd, input, uid, gid } = {}) {
    this.name = path.basename(command);
    this.#child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      uid,
      gid,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    running.add(this);
    for (const stream of ['stdout', 'stderr']) {
      this.#child[stream].setEncoding('utf8').on('data', (text) => {
        this[stream] += text;
        this.#listeners.forEach((look) => look());
      });
    }
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(`cannot start: ${error.message}`));
      this.#child.once('close', (code, signal) => resolve(code ?? signal));
    }).then((how) => {
      running.delete(this);
      this.ended = true;
      this.how = how;
      this.#listeners.forEach((look) => look());
      return how;
    });
    // A program that does not read its input is no reason to fail here.
    this.#child.stdin.on('error', () => {});
    this.#child.stdin.end(input ?? '');
  }

  get pid() {
    return this.#child.pid;
  }

  /** Waits until what was printed matches, and gives the match. */
  async prints(pattern, { patience = 20_000 } = {}) {
    return waitFor(
      () => {
        const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
        if (!match && this.ended) {
          throw new Error(`${this.name} ended (${this.how}) without printing ${pattern}\n${this.output()}`);
        }
        return match;
      },
      {
        patience,
        soon: (look) => {
          this.#listeners.add(look);
          return () => this.#listeners.delete(look);
        },
        why: () => `${this.name} did not print ${pattern}\n${this.output()}`,
      },
    );
  }

  /** Waits for the end, and gives the exit code or signal. */
  async end({ patience = 20_000 } = {}) {
    await waitFor(() => this.ended, {
      patience,
      soon: (look) => {
        this.#listeners.add(look);
        return () => this.#listeners.delete(look);
      },
      why: () => `${this.name} did not end\n${this.output()}`,
    });
    return this.how;
  }

  /** Ends the program and everything that it started: asks first, then insists. */
  async stop() {
    if (!this.ended) {
      this.kill('SIGTERM');
      const insist = setTimeout(() => this.kill('SIGKILL'), 3_000);
      await this.#ended;
      clearTimeout(insist);
    }
    // A child that outlived the program would be a leftover.
    this.kill('SIGKILL');
  }

  kill(signal) {
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // It is gone.
    }
  }

  output() {
    return `--- ${this.name} stdout\n${this.stdout}\n--- ${this.name} stderr\n${this.stderr}`;
  }
}

/** Runs a program to its end, which has to be a good one, and gives what it printed. */
export async function run(command, args, options) {
  const program = new Program(command, args, options);
  try {
    const how = await program.end(options);
    if (how !== 0) {
      throw new Error(`${program.name} ${args.join(' ')} ended with ${how}\n${program.output()}`);
    }
    return program.stdout;
  } finally {
    await program.stop();
  }
}

/** Waits until `look` gives something. Looks at once, whenever `soon` says so, and every 50 ms. */
export async function waitFor(look, { patience = 10_000, soon, why = () => 'nothing came' } = {}) {
  let stopListening = () => {};
  let timers = [];
  try {
    return await new Promise((resolve, reject) => {
      let looking = false;
      const attempt = async () => {
        // Looks that overtake each other pile up before a browser that is slow.
        if (looking) return;
        looking = true;
        try {
          const found = await look();
          if (found) resolve(found);
        } catch (error) {
          reject(error);
        } finally {
          looking = false;
        }
      };
      timers = [
        setInterval(attempt, 50),
        setTimeout(() => reject(new Error(`waited ${patience / 1000} s: ${why()}`)), patience),
      ];
      if (soon) stopListening = soon(attempt);
      attempt();
    });
  } finally {
    clearInterval(timers[0]);
    clearTimeout(timers[1]);
    stopListening();
  }
}

/** A port that was free a moment ago, for programs that cannot choose one themselves. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Owns what a script starts, as a test owns what it starts: the last one ends first. */
export class Script {
  #ends = [];

  after(end) {
    this.#ends.unshift(end);
  }

  async run(work) {
    try {
      return await work(this);
    } finally {
      for (const end of this.#ends) await end();
    }
  }
}

/** An empty folder, and how it is removed: after the programs that write to it have ended. */
export async function temporaryFolder() {
  const folder = await mkdtemp(path.join(tmpdir(), 'hallpass-test-'));
  // A browser's helpers may write a moment longer than the browser lives.
  return { folder, remove: () => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }) };
}
