// What hallpass costs as a gateway, beside the proxies that a person could put there, in one run. `cargo xtask bench
// gateway` runs this; docs/performance.md holds what came of it.
//
// Each proxy has one processor for itself; clients and upstream, one program (`xtask/load`), share the other one.

import { readFile, writeFile } from 'node:fs/promises';
import { cpus, loadavg, release } from 'node:os';
import { parseArgs } from 'node:util';

import { PYTHON } from '../peers/fastmcp.js';
import { Script, freePort, run, temporaryFolder } from '../peers/process.js';
import { median } from './load.js';
import { candidates } from './gateway/candidates.js';
import { plot } from './gateway/plot.js';
import { delegated } from './gateway/delegated.js';
import { external } from './gateway/external.js';
import { LOAD_ON, ready } from './gateway/processor.js';
import { issuers } from './gateway/tokens.js';

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    plot: { type: 'string' },
    record: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    streams: { type: 'string', default: '8000' },
    turns: { type: 'string', default: '5' },
  },
});

const say = (text) => options.json || console.log(text);
const fixed = (value, digits = 0) => (value === undefined || Number.isNaN(value) ? '–' : value.toFixed(digits));

/** One run of the program that is clients and upstream. */
async function load(setting, { port, host, tokens, pid }, what) {
  const args = ['--upstream', `127.0.0.1:${setting.upstream}`, '--target', `127.0.0.1:${port}`, '--host', host];
  args.push('--tokens', tokens, ...(pid ? ['--pid', String(pid)] : []), ...what);
  return JSON.parse(await run('taskset', ['-c', LOAD_ON, process.env.HALLPASS_LOAD, ...args], { patience: 120_000 }));
}

/** Requests a second and their CPU: the rounds take turns, so that a busy moment is everybody's. */
async function throughput(setting, all) {
  const rounds = new Map(all.map((one) => [one, []]));
  for (let round = 0; round < Number(options.rounds); round += 1) {
    for (const one of all) rounds.get(one).push(await load(setting, one, ['full', '--seconds', options.seconds]));
  }
  for (const [one, measured] of rounds) {
    for (const figure of ['per_second', 'cpu_us', 'busy']) one.measured[figure] = median(measured.map((each) => each[figure]));
  }
}

/**
 * How long a request takes while half of what a proxy can do is asked of it, beside the way without a proxy. The two take turns:
 * one moment in which the machine does something else is most of a p99.
 */
async function latency(setting, direct, one) {
  const rate = Math.max(1, Math.floor(one.measured.per_second / 2));
  const paced = ['paced', '--rate', String(rate), '--seconds', options.seconds];
  const turns = [];
  for (let turn = 0; turn < Number(options.turns); turn += 1) {
    turns.push({ through: await load(setting, one, paced), without: await load(setting, direct, paced) });
  }
  one.measured.rate = rate;
  for (const which of ['p50', 'p99']) {
    const figure = `${which}_us`;
    one.measured[figure] = median(turns.map(({ through }) => through[figure]));
    one.measured[`${which}_direct_us`] = median(turns.map(({ without }) => without[figure]));
    one.measured[`${which}_added_us`] = median(turns.map(({ through, without }) => through[figure] - without[figure]));
  }
}

async function events(setting, direct, one) {
  const [with_it, without] = [await load(setting, one, ['events']), await load(setting, direct, ['events'])];
  for (const which of ['first_p50_us', 'first_p99_us', 'later_p50_us']) {
    one.measured[which.replace('_us', '_added_us')] = with_it[which] - without[which];
  }
}

const COLUMNS = [
  ['req/s', (m) => fixed(m.per_second)],
  ['CPU µs', (m) => fixed(m.cpu_us, 1)],
  ['half load req/s', (m) => fixed(m.rate)],
  ['p50 added µs', (m) => fixed(m.p50_added_us)],
  ['p99 added µs', (m) => fixed(m.p99_added_us)],
  ['of p99 µs', (m) => fixed(m.p99_us)],
  ['first event added µs', (m) => fixed(m.first_p50_added_us)],
  ['ready ms', (m) => fixed(m.ready_ms)],
  ['idle MB', (m) => fixed(m.idle / 1e6, 1)],
  [`MB, ${options.streams} idle streams`, (m) => fixed(m.streams / 1e6)],
  ['KiB a stream', (m) => fixed(m.stream / 1024, 1)],
];

function table(all) {
  const rows = all.map(({ name, measured }) => `| ${name} | ${COLUMNS.map(([, show]) => show(measured)).join(' | ')} |`);
  return [`| what | ${COLUMNS.map(([name]) => name).join(' | ')} |`, `|---${'|---'.repeat(COLUMNS.length)}|`, ...rows].join('\n');
}

/** Where and when: figures of two machines say nothing about each other. */
async function machine() {
  const said = async (program) => /\d+\.\d+\.\d+/.exec((await run('sh', ['-c', `${program} -v 2>&1`])))[0];
  const [model, day] = [cpus()[0].model.trim(), new Date().toISOString().slice(0, 10)];
  const envoy = /\/(\d+\.\d+\.\d+)\//.exec(await run(process.env.ENVOY, ['--version']))[1];
  const fastmcp = (await run(PYTHON, ['-c', "import importlib.metadata as m; print(m.version('fastmcp'))"])).trim();
  const proxies = `HAProxy ${await said('haproxy')}, nginx ${await said('nginx')}, Envoy ${envoy}, fastmcp ${fastmcp}`;
  return `${cpus().length} × ${model}, Linux ${release()}, load ${loadavg()[0].toFixed(1)}; ${proxies}; ${day}.`;
}

/** Puts a text between the two marks of a page. */
async function record(file, text) {
  const page = await readFile(file, 'utf8');
  const [begin, end] = ['<!-- measured -->', '<!-- /measured -->'];
  const [before, rest] = page.split(begin);
  await writeFile(file, `${before}${begin}\n${text}\n${end}${rest.split(end)[1]}`);
}

await new Script().run(async (script) => {
  const folder = await temporaryFolder();
  script.after(folder.remove);
  const setting = { folder: folder.folder, upstream: await freePort() };
  const signed = await issuers(script, setting);
  const others = [await external(script, setting), await delegated(script, setting)];
  const wanted = options.only.split(',').filter(Boolean);
  const all = candidates(setting, signed, others).filter(({ name }) => !wanted.length || wanted.some((part) => name.includes(part)));
  const direct = { name: 'no proxy', port: setting.upstream, host: 'localhost', tokens: signed[0].tokens, measured: {} };
  for (const one of all) {
    await one.start(script);
    one.measured = { idle: await one.memory() };
  }
  await throughput(setting, [direct, ...all]);
  for (const one of all) {
    await latency(setting, direct, one);
    if (one.streams) {
      await events(setting, direct, one);
      const { after, each } = await load(setting, one, ['streams', '--number', options.streams]);
      Object.assign(one.measured, { streams: after, stream: each });
    }
    one.measured.ready_ms = await ready(one);
  }
  const text = `${table([direct, ...all])}\n\n${await machine()}`;
  say(`\n${text}`);
  if (options.record) await record(options.record, `${text}\n\n![Requests a second, and what one costs](images/gateway.svg)`);
  if (options.plot) await writeFile(options.plot, plot([direct, ...all]));
  if (options.json) console.log(JSON.stringify(Object.fromEntries([direct, ...all].map(({ name, measured }) => [name, measured])), null, 2));
});
