// The server behind hallpass: a program that dies without a word, and comes back at the same port.

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { freePort, Program } from '../peers/process.js';

/** How long after a restart answers may be missing still, in milliseconds. */
const SLACK = 1_000;

/** The owner ends it. */
export class Behind {
  /** When it was killed last, and when it answered again. */
  #down = 0;
  #up = 0;

  static async start(script) {
    const self = new Behind();
    self.port = await freePort();
    await self.#run();
    script.after(() => self.program.stop());
    self.url = `http://127.0.0.1:${self.port}/mcp`;
    return self;
  }

  async #run() {
    this.program = new Program(process.execPath, [path.join(import.meta.dirname, 'upstream.js')], {
      env: { PORT: String(this.port) },
    });
    await this.program.prints(/listening/);
    this.#up = Date.now();
  }

  async restart() {
    this.#down = Date.now();
    this.program.kill('SIGKILL');
    await this.program.end();
    await sleep(Math.random() * 500);
    await this.#run();
  }

  /** Whether it was there all the time since then. */
  wasUp(since) {
    return this.#up >= this.#down && since > this.#up + SLACK;
  }
}
