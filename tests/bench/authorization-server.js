// What hallpass's authorization server costs, beside npm's `oidc-provider` in the same run, and what a million rows do to
// it. `cargo xtask bench authorization-server` runs this; docs/benchmarks.md holds what came of it.

import assert from 'node:assert/strict';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { decodeJwt, decodeProtectedHeader } from 'jose';

import { Hallpass } from '../peers/hallpass.js';
import { Postgres } from '../peers/postgres.js';
import { Program, Script } from '../peers/process.js';
import { Upstream } from '../peers/upstream.js';
import { used, usedByFamily } from './cpu.js';
import { connections, load, median, percentile, post } from './load.js';
import { PostgresRows, SqliteRows, VERIFIER } from './rows.js';

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    grants: { type: 'string', default: '1000,100000,1000000' },
    ended: { type: 'string', default: '1000000' },
    tokens: { type: 'string', default: '10000' },
    requests: { type: 'string', default: '2000' },
  },
});
const SIZES = options.grants.split(',').map(Number);
const [ENDED, TOKENS, REQUESTS] = [options.ended, options.tokens, options.requests].map(Number);
const ROUNDS = 3;
const AT_A_TIME = 4;
const SECRET = 'a secret that both servers know';

const say = (text) => options.json || console.log(text);
const micro = (seconds) => (seconds * 1e6).toFixed(0);
const milli = (value) => value.toFixed(1);

/** A hallpass on one of the databases, with the two clients that the benchmark is. */
class Candidate {
  agent = connections(AT_A_TIME);

  static async start(owner, name) {
    const self = new Candidate();
    self.name = `hallpass, ${name}`;
    const upstream = await Upstream.start(owner);
    // With the settings that PostgreSQL has by itself: what was answered is on the disk.
    self.postgres = name === 'PostgreSQL' ? await Postgres.start(owner, {}) : undefined;
    const url = await self.postgres?.newSchema();
    self.hallpass = await Hallpass.serve(owner, [], {
      user: null,
      config: `
        ${url ? `database.url = "${url}"` : ''}
        [server]
        upstream = "${upstream.url}"
        [server.scopes]
        default = ["notes:read"]
      `,
      clients: [
        ['--id', 'installed', '--redirect-uri', 'http://127.0.0.1/callback'],
        { add: ['--id', 'robot', '--grant', 'client_credentials'], secret: SECRET },
      ],
    });
    const resource = self.hallpass.endpoint;
    self.rows = self.postgres
      ? new PostgresRows(self.postgres, url, resource)
      : new SqliteRows(path.join(self.hallpass.data.folder, 'hallpass.db'), resource);
    await self.rows.add(self.rows.sql.users);
    self.token = `${self.hallpass.issuer}/token`;
    return self;
  }

  /** Seconds of the processor: the server's own, and those of its database where that is a program of its own. */
  cpu() {
    return { own: used(this.hallpass.program.pid), database: this.postgres ? usedByFamily(this.postgres.pid) : 0 };
  }

  /** So many requests, so many at a time: CPU for each, and how long they took. */
  async measure(total, send) {
    const before = this.cpu();
    const took = await load(total, AT_A_TIME, send);
    const after = this.cpu();
    return {
      own: (after.own - before.own) / total,
      database: (after.database - before.database) / total,
      took,
    };
  }

  clientCredentials() {
    return clientToken(this.agent, this.token, this.hallpass.endpoint);
  }

  redeem(code) {
    const form = { grant_type: 'authorization_code', client_id: 'installed', code, code_verifier: VERIFIER };
    return post(this.agent, this.token, { ...form, redirect_uri: 'http://127.0.0.1/callback' });
  }

  /** Uses a token and keeps its successor in its place. */
  async refresh(tokens, i) {
    const at = i % tokens.length;
    const answer = await post(this.agent, this.token, { grant_type: 'refresh_token', client_id: 'installed', refresh_token: tokens[at] });
    tokens[at] = answer.refresh_token;
  }
}

function clientToken(agent, endpoint, resource) {
  const authorization = `Basic ${Buffer.from(`robot:${encodeURIComponent(SECRET)}`).toString('base64')}`;
  return post(agent, endpoint, { grant_type: 'client_credentials', scope: 'notes:read', resource }, { authorization });
}

/** The other one. */
async function oidcProvider(owner) {
  const resource = 'http://localhost/mcp';
  const program = new Program(process.execPath, [path.join(import.meta.dirname, 'oidc-provider.js'), 'robot', SECRET, resource], {
    env: { NODE_ENV: 'production' },
  });
  owner.after(() => program.stop());
  const [, issuer] = await program.prints(/issuer (\S+)/);
  const agent = connections(AT_A_TIME);
  return {
    name: 'oidc-provider 9.13.3, memory',
    cpu: () => ({ own: used(program.pid), database: 0 }),
    measure: Candidate.prototype.measure,
    clientCredentials: () => clientToken(agent, `${issuer}/token`, resource),
  };
}

/** A row of the table: medians of the rounds. */
function summary(name, rounds) {
  const all = rounds.flatMap(({ took }) => [...took]);
  const [own, database] = ['own', 'database'].map((part) => median(rounds.map((round) => round[part])));
  return { name, cpu: own, database, p50: percentile(all, 0.5), p99: percentile(all, 0.99) };
}

function print(title, rows) {
  say(`\n${title}\n`);
  say('| what | CPU µs | CPU µs of the database | p50 ms | p99 ms |\n|---|---|---|---|---|');
  for (const { name, cpu, database, p50, p99 } of rows) {
    say(`| ${name} | ${micro(cpu)} | ${database ? micro(database) : '–'} | ${milli(p50)} | ${milli(p99)} |`);
  }
}

/** A token for the client itself, a JWT signed with ES256, of each server; they take turns. */
async function clientTokens(servers) {
  for (const server of servers) {
    const { access_token: token } = await server.clientCredentials();
    assert.equal(decodeProtectedHeader(token).alg, 'ES256');
    assert.equal(decodeJwt(token).client_id, 'robot');
    await load(TOKENS / 10, AT_A_TIME, () => server.clientCredentials());
  }
  const rounds = servers.map(() => []);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [i, server] of servers.entries()) rounds[i].push(await server.measure(TOKENS, () => server.clientCredentials()));
  }
  return servers.map((server, i) => summary(server.name, rounds[i]));
}

/** Code exchange and refresh among so many grants. */
async function among(candidates, size, before, firstCode) {
  for (const { rows } of candidates) {
    await rows.add(rows.sql.alive(before, size) + rows.sql.codes(firstCode, firstCode + ROUNDS * REQUESTS));
  }
  const [exchanges, refreshes] = [candidates.map(() => []), candidates.map(() => [])];
  const spread = Math.min(REQUESTS, size - before);
  // Those that this size has added, from one end to the other.
  const tokens = candidates.map(() => Array.from({ length: spread }, (_, i) => `refresh-${before + Math.floor((i * (size - before)) / spread)}`));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [i, candidate] of candidates.entries()) {
      const code = firstCode + round * REQUESTS;
      exchanges[i].push(await candidate.measure(REQUESTS, (n) => candidate.redeem(`code-${code + n}`)));
      refreshes[i].push(await candidate.measure(REQUESTS, (n) => candidate.refresh(tokens[i], n)));
    }
  }
  return candidates.flatMap((candidate, i) => [
    summary(`${candidate.name}: code exchange`, exchanges[i]),
    summary(`${candidate.name}: refresh`, refreshes[i]),
  ]);
}

/** Requests one at a time, a few a second of each kind, until `isOver` says so every second; gives what each took. */
async function probe(candidate, tokens, isOver) {
  const took = { refresh: [], client_credentials: [] };
  const start = performance.now();
  let looked = start;
  for (let i = 0; ; i += 1) {
    for (const [kind, send] of [
      ['refresh', () => candidate.refresh(tokens, i)],
      ['client_credentials', () => candidate.clientCredentials()],
    ]) {
      const began = performance.now();
      await send();
      took[kind].push(performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    if (performance.now() - looked < 1_000) continue;
    if (await isOver()) return { took, seconds: (performance.now() - start) / 1000 };
    looked = performance.now();
  }
}

/** Rows that have ended, swept while requests go on. The sweep comes by itself, within a minute. */
async function sweep(candidate) {
  // The last one of all, which nobody has used: of so many grants, `among` takes some, from the first.
  const tokens = [`refresh-${SIZES.at(-1) - 1}`];
  const quiet = await probe(candidate, tokens, ((seconds) => async () => (seconds += 1) > 10)(0));
  const { rows } = candidate;
  await rows.add(rows.sql.ended(ENDED));
  assert.equal(await rows.ask(rows.sql.over), false, 'there are rows that have ended');
  const waited = await probe(candidate, tokens, () => rows.ask(rows.sql.begun));
  const swept = await probe(candidate, tokens, () => rows.ask(rows.sql.over));
  // It may have begun up to a second before it was seen.
  const during = (kind) => [...waited.took[kind].slice(-100), ...swept.took[kind]];
  return {
    name: candidate.name,
    rows: ENDED,
    seconds: swept.seconds,
    requests: swept.took.refresh.length + swept.took.client_credentials.length,
    longest: { refresh: Math.max(...during('refresh')), client_credentials: Math.max(...during('client_credentials')) },
    p99: percentile(during('refresh'), 0.99),
    withoutSweep: Math.max(...quiet.took.refresh, ...quiet.took.client_credentials),
  };
}

await new Script().run(async (script) => {
  const candidates = [await Candidate.start(script, 'SQLite'), await Candidate.start(script, 'PostgreSQL')];
  const result = { grants: {}, sweep: [] };
  if (TOKENS) {
    result.client_credentials = await clientTokens([...candidates, await oidcProvider(script)]);
    print('A token for the client itself (JWT, ES256)', result.client_credentials);
  }
  let [before, firstCode] = [0, 0];
  for (const size of REQUESTS ? SIZES : []) {
    result.grants[size] = await among(candidates, size, before, firstCode);
    print(`Among ${size} grants`, result.grants[size]);
    [before, firstCode] = [size, firstCode + ROUNDS * REQUESTS];
  }
  if (ENDED) say('\nA sweep\n\n| what | rows | s | longest refresh ms | p99 | longest client_credentials ms | longest without a sweep ms |\n|---|---|---|---|---|---|---|');
  for (const candidate of ENDED ? candidates : []) {
    const one = await sweep(candidate);
    result.sweep.push(one);
    const times = [one.longest.refresh, one.p99, one.longest.client_credentials, one.withoutSweep].map(milli);
    say(`| ${one.name} | ${one.rows} | ${one.seconds.toFixed(0)} | ${times.join(' | ')} |`);
  }
  if (options.json) console.log(JSON.stringify(result, null, 2));
});
