// Which processor is whose, and how soon a program answers.

import { request } from 'node:http';

import { Program } from '../../peers/process.js';
import { median } from '../load.js';

/** Clients, upstream and this program. */
export const LOAD_ON = '0';
/** The proxies, one at a time at work. */
export const ON_PROXY = ['taskset', '-c', '1'];

const STARTS = 5;

/** Whether something answers there, whatever it says. */
function answers(port) {
  return new Promise((resolve) => {
    const asked = request({ port, host: '127.0.0.1', path: '/mcp', agent: false }, (answer) => {
      answer.resume();
      resolve(true);
    });
    asked.on('error', () => resolve(false));
    asked.end();
  });
}

/** Starts a candidate's program, and gives the milliseconds until its first answer. */
export async function started(candidate) {
  const start = performance.now();
  const [program, ...args] = candidate.command;
  candidate.program = new Program(program, args, { env: candidate.env });
  while (!(await answers(candidate.port))) {
    if (candidate.program.ended) throw new Error(candidate.program.output());
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return performance.now() - start;
}

/** How long a start takes of a program that has been started before. Leaves it stopped. */
export async function ready(candidate) {
  const took = [];
  for (let i = 0; i < STARTS; i += 1) {
    await candidate.program.stop();
    took.push(await started(candidate));
  }
  await candidate.program.stop();
  return median(took);
}
