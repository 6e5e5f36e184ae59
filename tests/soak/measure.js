// What a process holds, from /proc.

import { readdir, readFile, readlink } from 'node:fs/promises';

/** Memory in MB, open files, threads and children of a process. Connections to its database are a pool, and no part of them. */
export async function held(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const number = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)[1]);
  return {
    memory: number('VmRSS') / 1024,
    files: Object.entries(await files(pid)).reduce((sum, [kind, count]) => (kind.startsWith('hallpass.db') ? sum : sum + count), 0),
    threads: number('Threads'),
    children: (await children(pid)).length,
  };
}

/** What the open files of a process are, counted. */
export async function files(pid) {
  const counts = {};
  for (const fd of await readdir(`/proc/${pid}/fd`)) {
    // One may be closed between two looks.
    const what = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => 'closed');
    const kind = what.replace(/:\[\d+\]$/, '').replace(/^\/.*\//, '');
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** The processes that it has started, and that it has not waited for. */
async function children(pid) {
  const threads = await readdir(`/proc/${pid}/task`);
  const lists = await Promise.all(threads.map((tid) => readFile(`/proc/${pid}/task/${tid}/children`, 'utf8').catch(() => '')));
  return lists.flatMap((list) => list.split(' ').filter(Boolean));
}

/** The middle of some numbers. */
export function median(numbers) {
  const sorted = [...numbers].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)];
}
