// Runs the official suite against an MCP server three times: alone, behind hallpass with authorization on, and behind
// hallpass over stdio. `cargo xtask conformance server` runs this and compares what the suite wrote, check by check.

import path from 'node:path';

import { ConformanceServer, STDIO } from '../peers/conformance-server.js';
import { Forwarder } from '../peers/forwarder.js';
import { Hallpass } from '../peers/hallpass.js';
import { Machine, MACHINE } from '../peers/machine.js';
import { Program, Script } from '../peers/process.js';

const SUITE = path.resolve(import.meta.dirname, '../node_modules/@modelcontextprotocol/conformance/dist/index.js');

/** What the suite is asked for, and the folder that it goes to. */
const RUNS = {
  '2025-11-25': ['--requirements', '2025-11-25'],
  '2026-07-28': ['--requirements', '2026-07-28'],
  all: ['--suite', 'all'],
};

/** A policy that looks into every message; with its scopes, all of them may pass. */
const POLICY = `
  [server.scopes]
  default = ["mcp:use"]
  "mcp:use" = { says = "Use the server" }
  "mcp:test" = { says = "Call its tests" }
  [server.tools]
  "*" = { scopes = ["mcp:test"] }
`;

const [results, ...ways] = process.argv.slice(2);
if (!results) throw new Error('usage: node conformance/server.js RESULTS [bare|http|stdio …]');

await new Script().run(async (script) => {
  const bare = await ConformanceServer.start(script);
  const chosen = (way) => ways.length === 0 || ways.includes(way);
  if (chosen('bare')) await judge('bare', bare.url);
  if (chosen('http')) await judge('http', await behind(script, ['--upstream', bare.url]));
  if (chosen('stdio')) await judge('stdio', await behind(script, ['--', ...STDIO]));
});

/** The server behind hallpass, as the suite can reach it. */
async function behind(script, upstream) {
  const hallpass = await Hallpass.serve(script, upstream, { user: null, clients: [MACHINE], config: POLICY });
  const refused = await fetch(hallpass.endpoint, { method: 'POST', body: '{}' });
  if (refused.status !== 401) throw new Error(`without a token it answers ${refused.status}`);
  const machine = new Machine(hallpass.issuer, hallpass.endpoint, 'mcp:use mcp:test');
  return (await Forwarder.start(script, hallpass.endpoint, () => machine.token())).url;
}

async function judge(way, url) {
  for (const [name, args] of Object.entries(RUNS)) {
    const folder = path.join(results, way, name);
    const suite = new Program(process.execPath, [SUITE, 'server', '--url', url, '--output-dir', folder, ...args]);
    try {
      // Whether a check failed is read from what it wrote: over stdio some have to.
      await suite.end({ patience: 300_000 });
      console.log(`${way} ${name}: ${/^Total: .*$/m.exec(suite.stdout)?.[0] ?? suite.output()}`);
    } finally {
      await suite.stop();
    }
  }
}
