// What a process has used of the processor, user and system, in seconds (proc(5)).

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

function stat(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name may hold anything; what follows it is parted by spaces, and begins with the third field.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { parent: Number(fields[1]), used: (Number(fields[11]) + Number(fields[12])) / TICKS };
}

export const used = (pid) => stat(pid).used;

/** A process and its children. PostgreSQL's connections are processes, and stay as long as the pool of hallpass does. */
export function usedByFamily(pid) {
  let sum = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const { parent, used } = stat(name);
      if (parent === pid || Number(name) === pid) sum += used;
    } catch {
      // It has just ended.
    }
  }
  return sum;
}
