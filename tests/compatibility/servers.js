// Servers that people use, as their authors ship them, and what is said to each.

import { readFileSync } from 'node:fs';
import path from 'node:path';

import { STDIO as EVERYTHING, Everything } from '../peers/everything.js';
import { PYTHON } from '../peers/fastmcp.js';
import { freePort, Program } from '../peers/process.js';

const MODULES = path.resolve(import.meta.dirname, '../node_modules');
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FASTMCP = path.resolve(import.meta.dirname, '../peers/fastmcp_tools.py');

/** A page that says nothing that changes. */
const PAGE = 'data:text/html,<title>A page</title><h1>Hello</h1><button>Press</button>';

/** The release of a package of npm that is installed. */
function version(name) {
  return JSON.parse(readFileSync(path.join(MODULES, name, 'package.json'), 'utf8')).version;
}

/** The command that runs a file of such a package. */
function node(name, file, ...args) {
  return [process.execPath, path.join(MODULES, name, file), ...args];
}

/** The command that runs it; what it writes goes into the folder. */
function playwright(folder, ...args) {
  const browser = ['--headless', '--no-sandbox', '--isolated', '--executable-path', CHROMIUM];
  return node('@playwright/mcp', 'cli.js', ...browser, '--output-dir', folder, ...args);
}

/**
 * @typedef {object} Server
 * @property {string} name
 * @property {() => string} version
 * @property {(folder: string) => {command: string[], environment?: Record<string, string>}} [stdio]
 * @property {(owner: object, folder: string) => Promise<string>} [http] starts it, gives its URL
 * @property {(client: object, folder: string) => Promise<object>} talk gives all that it answered; the same each time
 */

/** @type {Server[]} */
export const SERVERS = [
  {
    name: 'everything',
    version: () => version('@modelcontextprotocol/server-everything'),
    stdio: () => ({ command: EVERYTHING }),
    http: async (owner) => (await Everything.start(owner)).url,
    talk: async (client) => {
      const steps = [];
      return {
        tools: await client.tools(),
        prompts: await client.prompts(),
        echo: await client.call('echo', { message: 'Grüße, 世界 \u{1F511}' }),
        sum: await client.call('get-sum', { a: 20, b: 22 }),
        image: await client.call('get-tiny-image', {}),
        long: await client.call('trigger-long-running-operation', { duration: 0.4, steps: 4 }, (step) => steps.push(step)),
        // The step that arrives together with the answer is a matter of timing.
        steps: steps.filter((step) => step.progress < step.total),
        refusal: await client.call('echo', {}),
      };
    },
  },
  {
    name: 'filesystem',
    version: () => version('@modelcontextprotocol/server-filesystem'),
    stdio: (folder) => ({ command: node('@modelcontextprotocol/server-filesystem', 'dist/index.js', folder) }),
    talk: async (client, folder) => {
      const file = path.join(folder, 'note.txt');
      return {
        tools: await client.tools(),
        allowed: await client.call('list_allowed_directories', {}),
        written: await client.call('write_file', { path: file, content: 'buy milk\n'.repeat(10_000) }),
        read: await client.call('read_text_file', { path: file }),
        elsewhere: await client.call('read_text_file', { path: '/etc/hostname' }),
      };
    },
  },
  {
    name: 'memory',
    version: () => version('@modelcontextprotocol/server-memory'),
    stdio: (folder) => ({
      command: node('@modelcontextprotocol/server-memory', 'dist/index.js'),
      environment: { MEMORY_FILE_PATH: path.join(folder, 'memory.json') },
    }),
    talk: async (client) => {
      const alice = { name: 'Alice', entityType: 'person', observations: ['likes tea'] };
      return {
        tools: await client.tools(),
        created: await client.call('create_entities', { entities: [alice] }),
        found: await client.call('search_nodes', { query: 'tea' }),
        deleted: await client.call('delete_entities', { entityNames: ['Alice'] }),
        empty: await client.call('read_graph', {}),
      };
    },
  },
  {
    name: 'sequential-thinking',
    version: () => version('@modelcontextprotocol/server-sequential-thinking'),
    stdio: () => ({ command: node('@modelcontextprotocol/server-sequential-thinking', 'dist/index.js') }),
    talk: async (client) => {
      const thought = (thoughtNumber) => ({
        thought: `Thought ${thoughtNumber}`,
        nextThoughtNeeded: thoughtNumber < 3,
        thoughtNumber,
        totalThoughts: 3,
      });
      return {
        tools: await client.tools(),
        // Each answer says how many came before: it is one process from the first to the last.
        first: await client.call('sequentialthinking', thought(1)),
        second: await client.call('sequentialthinking', thought(2)),
        third: await client.call('sequentialthinking', thought(3)),
      };
    },
  },
  {
    name: 'playwright',
    version: () => version('@playwright/mcp'),
    stdio: (folder) => ({ command: playwright(folder) }),
    http: async (owner, folder) => {
      const port = await freePort();
      const [command, ...args] = playwright(folder, '--port', String(port));
      const program = new Program(command, args);
      owner.after(() => program.stop());
      await program.prints(/Listening on/i, { patience: 60_000 });
      return `http://localhost:${port}/mcp`;
    },
    talk: async (client) => {
      const opened = await client.call('browser_navigate', { url: PAGE });
      const waited = await client.call('browser_wait_for', { time: 2 });
      const picture = await client.call('browser_take_screenshot', {});
      const closed = await client.call('browser_close', {});
      return {
        tools: await client.tools(),
        title: /Page Title: [^\\]*/.exec(JSON.stringify(opened))?.[0],
        waited: waited.isError ?? false,
        // A picture is long, and each one another.
        picture: picture.content.map(({ type, mimeType, data }) => ({ type, mimeType, isLong: data?.length > 1000 })),
        closed: closed.isError ?? false,
      };
    },
  },
  {
    name: 'fastmcp',
    version: () => /^fastmcp==(\S+)/m.exec(readFileSync(path.resolve(MODULES, '../../xtask/fastmcp.txt'), 'utf8'))[1],
    stdio: () => ({ command: [PYTHON, FASTMCP] }),
    http: async (owner) => {
      const port = await freePort();
      const program = new Program(PYTHON, [FASTMCP], { env: { PORT: String(port) } });
      owner.after(() => program.stop());
      await program.prints(/Uvicorn running/i, { patience: 60_000 });
      return `http://127.0.0.1:${port}/mcp`;
    },
    talk: async (client) => {
      const steps = [];
      return {
        tools: await client.tools(),
        prompts: await client.prompts(),
        resources: await client.resources(),
        sum: await client.call('add', { a: 20, b: 22 }),
        counted: await client.call('count', { to: 5 }, (step) => steps.push(step)),
        steps: steps.filter((step) => step.progress < step.total),
        failed: await client.call('fail', {}),
      };
    },
  },
];
