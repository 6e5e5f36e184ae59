// Hours in minutes: mixed load on `hallpass serve` while the server behind it dies and comes back, the keys of an issuer
// change, the configuration is read again and again, and clients cut their connections. Nobody may be let in who must not
// be, nobody kept out who must be let in, and nothing may be left behind. `cargo xtask soak` runs this.
//
//     node soak/run.js FILE MINUTES

import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { STDIO } from '../peers/conformance-server.js';
import { Hallpass } from '../peers/hallpass.js';
import { Machine, MACHINE } from '../peers/machine.js';
import { Script, waitFor } from '../peers/process.js';
import { ACTIONS, Fault, mayTurn } from './actions.js';
import { Behind } from './behind.js';
import { endlessBodies } from './bodies.js';
import { Issuer } from './issuer.js';
import { files, held, median } from './measure.js';
import { Tokens } from './tokens.js';

const [file, minutes] = process.argv.slice(2);
if (!minutes) throw new Error('usage: node soak/run.js FILE MINUTES');

/** Clients at once, and how long each rests between two requests, in milliseconds. */
const CLIENTS = 16;
const REST = 100;

/** How often things happen, in milliseconds. */
const EVERY = { reload: 10_000, rotation: 20_000, restart: 7_000, look: 5_000 };

/** What the rule of one tool is, in turns. */
const TURNING = { true: '"turning" = { scopes = ["mcp:use"] }', false: '"turning" = "deny"' };

const counts = {};
const faults = [];

const outcome = await new Script().run(async (script) => {
  const upstream = await Behind.start(script);
  const issuer = await Issuer.start(script);
  const hallpass = await Hallpass.serve(script, [], { user: null, clients: [MACHINE], config: configuration(upstream, issuer) });
  const overStdio = await Hallpass.serve(script, ['--', ...STDIO], { user: null, clients: [MACHINE] });
  const machines = new Map([hallpass, overStdio].map((one) => [one.endpoint, new Machine(one.issuer, one.endpoint)]));
  const tokens = new Tokens(issuer, hallpass.endpoint, machines);
  await tokens.renew();
  const house = {
    endpoint: hallpass.endpoint,
    stdio: overStdio.endpoint,
    tokens,
    isUp: (since) => upstream.wasUp(since),
    turning: { allowed: true, changes: 0, settled: true },
  };

  // Every path once, before anything is measured.
  for (const action of ACTIONS) await attempt(action, house);
  await sleep(3_000);
  const before = { http: await held(hallpass.program.pid), stdio: await held(overStdio.program.pid) };
  const bodies = await endlessBodies(house, hallpass.program.pid);

  const end = Date.now() + minutes * 60_000;
  const goingOn = () => Date.now() < end;
  const looks = [];
  const done = {};
  const again = async (name, work) => {
    done[name] = 0;
    while (goingOn()) {
      await sleep(Math.min(EVERY[name], Math.max(0, end - Date.now())));
      await work();
      done[name] += 1;
    }
  };
  const configured = hallpass.options[hallpass.options.indexOf('--config') + 1];
  await Promise.all([
    ...Array.from({ length: CLIENTS }, () => client(house, goingOn)),
    again('restart', () => upstream.restart()),
    again('rotation', async () => {
      await issuer.rotate();
      await tokens.renew();
    }),
    again('reload', () => turn(house, configured, hallpass.program.pid)),
    again('look', async () => {
      looks.push(await held(hallpass.program.pid));
      if (hallpass.program.ended) throw new Error(`hallpass ended: ${hallpass.program.output()}`);
    }),
  ]);

  const after = await quiet(hallpass, before.http);
  const stdioAfter = await quiet(overStdio, before.stdio);
  return {
    minutes: Number(minutes),
    done,
    counts,
    faults,
    bodies,
    memory: quarters(looks.map(({ memory }) => memory)),
    files: { before: before.http.files, most: Math.max(...looks.map(({ files }) => files)), after: after.files },
    stdio: { before: before.stdio, after: stdioAfter },
    left: await files(hallpass.program.pid),
    release: (await readFile(path.resolve(import.meta.dirname, '../../Cargo.toml'), 'utf8')).match(/^version = "(.*)"/m)[1],
  };
});
await writeFile(file, JSON.stringify(outcome, undefined, 2));

/** What is configured: rules that look into every message, and somebody else's tokens beside hallpass's own. */
function configuration(upstream, issuer) {
  return `
[server]
upstream = "${upstream.url}"
[server.scopes]
default = ["mcp:use"]
[server.tools]
"forbidden" = "deny"
${TURNING.true}
"admin" = { scopes = ["mcp:admin"] }
[[server.issuers]]
issuer = "${issuer.url}"
`;
}

/** Writes the file anew with the rule of one tool turned round, and waits until it holds. */
async function turn(house, configured, pid) {
  const { turning } = house;
  turning.settled = false;
  turning.allowed = !turning.allowed;
  turning.changes += 1;
  const text = await readFile(configured, 'utf8');
  await writeFile(configured, text.replace(TURNING[!turning.allowed], TURNING[turning.allowed]));
  process.kill(pid, 'SIGHUP');
  await waitFor(async () => (await mayTurn(house)) === turning.allowed, { patience: 5_000 }).catch(() => {
    faults.push(`${new Date().toISOString()} a reload: its rule does not hold after 5 s`);
  });
  turning.settled = true;
}

/** One client: one thing after the other, by chance. */
async function client(house, goingOn) {
  const all = ACTIONS.flatMap((action) => Array(action.weight).fill(action));
  while (goingOn()) {
    await attempt(all[Math.floor(Math.random() * all.length)], house);
    await sleep(Math.random() * REST * 2);
  }
}

async function attempt(action, house) {
  counts[action.name] = (counts[action.name] ?? 0) + 1;
  try {
    await action.act(house);
  } catch (error) {
    // A connection that fails while hallpass is up is as wrong as a wrong answer.
    const { cause } = error;
    const kind = error instanceof Fault ? '' : `${cause?.code ?? error.name}: `;
    // What undici says of the socket tells a connection that was never answered from one that was used before.
    const of = cause && ` (${cause.message}${cause.socket ? `, ${JSON.stringify(cause.socket)}` : ''})`;
    faults.push(`${new Date().toISOString()} ${action.name}: ${kind}${error.message}${of ?? ''}`);
    console.log(faults.at(-1));
  }
}

/** Waits until nothing more is held than before; gives what is held then. */
async function quiet(hallpass, before) {
  let now;
  await waitFor(
    async () => {
      now = await held(hallpass.program.pid);
      return now.files <= before.files && now.children <= before.children;
    },
    { patience: 120_000 },
  ).catch(() => {});
  return now;
}

/** How memory went, quarter by quarter. */
function quarters(numbers) {
  const quarter = Math.max(1, Math.ceil(numbers.length / 4));
  return [0, 1, 2, 3].map((at) => median(numbers.slice(at * quarter, (at + 1) * quarter)) ?? median(numbers));
}
