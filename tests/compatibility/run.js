// Every client against every server, alone and behind hallpass: all that is said has to be the same.
// `cargo xtask compatibility` runs this, and keeps the table in docs/compatibility.md.
//
//     node compatibility/run.js FILE [WORD …]     servers whose name contains one of these words

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';

import { ALICE, Hallpass } from '../peers/hallpass.js';
import { Installation } from '../peers/installation.js';
import { Script, temporaryFolder } from '../peers/process.js';
import { TextBrowser } from '../peers/text-browser.js';
import { CLIENTS, converse, logIn, overConnect, overHttp, overStdio, UP_TO } from './clients.js';
import { SERVERS } from './servers.js';

const [file, ...words] = process.argv.slice(2);
if (!file) throw new Error('usage: node compatibility/run.js FILE [WORD …]');

const chosen = SERVERS.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
const rows = [];
for (const server of chosen) {
  for (const transport of ['stdio', 'http'].filter((transport) => server[transport])) {
    const cells = await new Script().run((script) => row(script, server, transport));
    rows.push({ server: server.name, version: server.version(), transport, cells });
  }
}
const clients = CLIENTS.map(({ name, asks }) => ({ name, asks }));
await writeFile(file, JSON.stringify({ clients, rows }, undefined, 2));

/** One server over one transport, with every client. */
async function row(script, server, transport) {
  const { folder, remove } = await temporaryFolder();
  script.after(remove);
  const shared = path.join(folder, 'shared');
  await mkdir(shared);
  const url = transport === 'http' ? await server.http(script, shared) : undefined;
  const { command, environment = {} } = url ? {} : server.stdio(shared);
  const reach = (sdk) => (url ? overHttp(sdk, url) : overStdio(sdk, command, environment));

  const hallpass = await Hallpass.serve(script, [], { config: configuration(url, command, environment) });
  const applications = new Map();
  const logged = (sdk) => applications.get(sdk) ?? applications.set(sdk, logIn(sdk, hallpass.endpoint)).get(sdk);
  const installation = await Installation.make(script);
  await installation.runWithLogin(['login', hallpass.endpoint], async (url) => {
    // It begins and ends at an address of `login` itself, which knows the browser again.
    const browser = new TextBrowser();
    await browser.open(await browser.allow(await browser.open(url), ALICE));
  });

  const cells = [];
  for (const client of CLIENTS) {
    const talk = (mcp) => server.talk(mcp, shared);
    const cell = await compare(
      (revision) => converse(revision ? { ...client, make: UP_TO(revision) } : client, reach(client.sdk), talk),
      async () => {
        const way = client.through
          ? overConnect(client.sdk, installation, hallpass.endpoint)
          : overHttp(client.sdk, hallpass.endpoint, await logged(client.sdk));
        return converse(client, way, talk);
      },
    );
    console.log(`${server.name} over ${transport}, ${client.name}, asks ${client.asks}: ${JSON.stringify(cell)}`);
    cells.push(cell);
  }
  return cells;
}

/** What hallpass needs to know of the server. */
function configuration(url, command, environment) {
  const upstream = url ? `upstream = ${JSON.stringify(url)}` : `command = ${JSON.stringify(command)}`;
  const variables = Object.entries(environment).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  return `[server]\n${upstream}\n[server.environment]\n${variables.join('\n')}\n`;
}

/** Whether both say the same; a client that does not get on with the server alone says nothing about hallpass. */
async function compare(alone, through) {
  const [direct, behind] = [await outcome(alone), await outcome(through)];
  if (direct.error && behind.error) return { direct: direct.error, behind: behind.error };
  if (behind.error) return { revision: direct.revision, wrong: behind.error };
  if (direct.error) return { revision: behind.revision, direct: direct.error };
  // What a revision brings with it is no difference: where hallpass speaks an older one, the server speaks that alone, too.
  const older = direct.revision > behind.revision;
  const same = older ? await alone(behind.revision) : direct;
  const newer = direct.revision < behind.revision;
  const [one, other] = [same, behind].map(({ said }) => (newer ? inBoth(said) : said));
  // hallpass cannot know yet what its clients can do, and says that they can: a server may offer more to it.
  if (newer) other.tools.tools = other.tools.tools.filter(({ name }) => one.tools.tools.some((tool) => tool.name === name));
  const differs = Object.keys(one).filter((key) => !isDeepStrictEqual(one[key], other[key]));
  for (const key of differs) {
    console.log(`${key} alone: ${JSON.stringify(one[key])}\n${key} behind: ${JSON.stringify(other[key])}`);
  }
  return {
    revision: behind.revision,
    ...(direct.revision !== behind.revision && { alone: direct.revision }),
    ...(differs.length > 0 && { wrong: `differs in ${differs.join(', ')}` }),
  };
}

/**
 * Answers without what revision 2026-07-28 adds to every answer, and without what it has no place for: its SDK reads nothing of
 * a tool's `execution`, which was about tasks.
 */
function inBoth(said) {
  const envelope = ['_meta', 'resultType', 'ttlMs', 'cacheScope'];
  const plain = (answer) => {
    if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return answer;
    const left = Object.fromEntries(Object.entries(answer).filter(([name]) => !envelope.includes(name)));
    if (Array.isArray(left.tools)) left.tools = left.tools.map(({ execution: _, ...tool }) => tool);
    return left;
  };
  return Object.fromEntries(Object.entries(said).map(([name, answer]) => [name, plain(answer)]));
}

async function outcome(work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('no end within two minutes')), 120_000);
  });
  try {
    return await Promise.race([work(), late]);
  } catch (error) {
    return { error: error.message };
  } finally {
    clearTimeout(timer);
  }
}
