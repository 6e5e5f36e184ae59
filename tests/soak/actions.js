// What clients do in the soak, each with what has to come of it.

import { randomBytes, randomUUID } from 'node:crypto';
import { connect } from 'node:net';

import { MCP_HEADERS } from '../peers/upstream.js';
import { below } from './tokens.js';

/** What went wrong: somebody was let in who must not be, or kept out who must be let in. */
export class Fault extends Error {}

/** @typedef {{endpoint: string, stdio: string, tokens: import('./tokens.js').Tokens, isUp: (since: number) => boolean,
 *   turning: {allowed: boolean, changes: number, settled: boolean}}} House */

const call = (name, args = {}) => ({ jsonrpc: '2.0', id: randomUUID(), method: 'tools/call', params: { name, arguments: args } });

async function post(url, token, body, { signal, headers } = {}) {
  return fetch(url, {
    method: 'POST',
    headers: { ...MCP_HEADERS, ...(token && { authorization: `Bearer ${token}` }), ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    signal,
  });
}

/** While the server behind is away there is no answer, and nothing else may be wrong. */
const AWAY = [502, 503, 504];

/** A request that has to be let in; gives its answer, or nothing while the server behind was away. */
async function letIn(house, token, body, url = house.endpoint) {
  const since = Date.now();
  const answer = await post(url, token, body);
  if (answer.status === 200) return answer;
  const said = await answer.text();
  if (AWAY.includes(answer.status) && !house.isUp(since)) return undefined;
  throw new Fault(`a good request got ${answer.status}: ${said.slice(0, 300)}`);
}

/** A request that has to be refused with this status. */
async function refused(house, token, status, body = call('echo')) {
  const answer = await post(house.endpoint, token, body);
  const said = await answer.text();
  if (answer.status !== status) throw new Fault(`a bad request got ${answer.status}, not ${status}: ${said.slice(0, 300)}`);
}

/** Whether the tool whose rule changes may be called at this moment. */
export async function mayTurn(house) {
  const answer = await post(house.endpoint, (await house.tokens.good()).token, call('turning'));
  const said = await answer.text();
  if (![200, 403, ...AWAY].includes(answer.status)) throw new Fault(`a good token got ${answer.status}: ${said.slice(0, 300)}`);
  return answer.status !== 403;
}

/** Each is as likely as its weight says. */
export const ACTIONS = [
  {
    name: 'a call',
    weight: 30,
    act: async (house) => {
      const canary = randomUUID();
      const { token, subject } = await house.tokens.good();
      const answer = await letIn(house, token, call('echo', { canary, padding: randomBytes(700).toString('hex') }));
      if (!answer) return;
      const { result } = await answer.json();
      if (result.canary !== canary) throw new Fault(`it got the answer of another: ${JSON.stringify(result)}`);
      if (result.caller !== subject) throw new Fault(`${subject} was taken for ${result.caller}`);
    },
  },
  {
    name: 'a stream to its end',
    weight: 6,
    act: async (house) => {
      const canary = randomUUID();
      const answer = await letIn(house, (await house.tokens.good()).token, call('stream', { canary, events: 10 }));
      if (!answer) return;
      const since = Date.now() - 1_000;
      const text = await answer.text().catch(() => '');
      const events = text.split('\n\n').filter(Boolean).map((event) => JSON.parse(event.slice('data: '.length)));
      if (events.some((event) => (event.params?.data ?? event.result).canary !== canary)) {
        throw new Fault(`a stream has events of another: ${text}`);
      }
      if (events.some((event, at) => event.params && event.params.data.number !== at)) throw new Fault(`out of order: ${text}`);
      if (events.length !== 11 && house.isUp(since)) throw new Fault(`${events.length} of 11 events came`);
    },
  },
  {
    name: 'a stream that is cut',
    weight: 6,
    act: async (house) => {
      const cut = new AbortController();
      setTimeout(() => cut.abort(), below(400));
      const { token } = await house.tokens.good();
      await post(house.endpoint, token, call('stream', { events: 1000 }), { signal: cut.signal })
        .then((answer) => answer.text())
        .catch(() => {});
    },
  },
  {
    name: 'a GET that is cut',
    weight: 3,
    act: async (house) => {
      const { token } = await house.tokens.good();
      const headers = { accept: 'text/event-stream', authorization: `Bearer ${token}` };
      await fetch(house.endpoint, { headers, signal: AbortSignal.timeout(100 + below(2_000)) })
        .then((answer) => answer.text())
        .catch(() => {});
    },
  },
  {
    name: 'a connection that ends in the middle of a request',
    weight: 6,
    act: async (house) => {
      const { host, hostname, port } = new URL(house.endpoint);
      const { token } = await house.tokens.good();
      const body = JSON.stringify(call('echo'));
      const request =
        `POST /mcp HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${token}\r\n` +
        `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
      await new Promise((resolve) => {
        const socket = connect(Number(port), hostname, () => {
          socket.write(request.slice(0, below(request.length)));
          setTimeout(() => socket.resetAndDestroy(), below(50));
        });
        socket.on('error', () => {});
        socket.on('close', resolve);
      });
    },
  },
  { name: 'no token', weight: 4, act: (house) => refused(house, undefined, 401) },
  { name: 'a made-up token', weight: 4, act: (house) => refused(house, randomBytes(30).toString('base64url'), 401) },
  { name: 'an expired token', weight: 4, act: async (house) => refused(house, await house.tokens.expired(), 401) },
  { name: 'a token for another server', weight: 4, act: async (house) => refused(house, await house.tokens.elsewhere(), 401) },
  { name: 'a forged token', weight: 4, act: async (house) => refused(house, await house.tokens.forged(), 401) },
  {
    name: 'a tool that nobody may call',
    weight: 4,
    act: async (house) => refused(house, (await house.tokens.good()).token, 403, call('forbidden')),
  },
  {
    name: 'a tool that needs another scope',
    weight: 4,
    act: async (house) => refused(house, (await house.tokens.good()).token, 403, call('admin')),
  },
  {
    name: 'a tool whose rule changes with the configuration',
    weight: 4,
    act: async (house) => {
      const { allowed, changes, settled } = house.turning;
      const may = await mayTurn(house);
      const same = settled && house.turning.settled && changes === house.turning.changes;
      if (same && may !== allowed) throw new Fault(`it was ${may ? 'let in' : 'refused'} against the rule that holds`);
    },
  },
  {
    name: 'two tools in one name',
    weight: 2,
    act: async (house) => {
      const body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"forbidden"}}';
      await refused(house, (await house.tokens.good()).token, 400, body);
    },
  },
  {
    name: 'a session over stdio',
    weight: 1,
    act: async (house) => {
      const { token } = await house.tokens.good(house.stdio);
      const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'soak', version: '1' } };
      const begun = await post(house.stdio, token, { jsonrpc: '2.0', id: 1, method: 'initialize', params });
      const said = await begun.text();
      if (begun.status !== 200) throw new Fault(`no session over stdio: ${begun.status} ${said}`);
      const headers = { 'mcp-session-id': begun.headers.get('mcp-session-id'), 'mcp-protocol-version': '2025-11-25' };
      await (await post(house.stdio, token, { jsonrpc: '2.0', method: 'notifications/initialized' }, { headers })).text();
      const id = randomUUID();
      // Half of the clients go away in the middle of a call, and come back to end their session.
      const leaves = Math.random() < 0.5;
      const signal = leaves ? AbortSignal.timeout(below(100)) : undefined;
      const tool = { jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'test_tool_with_progress', arguments: {} } };
      const answered = await post(house.stdio, token, tool, { headers, signal })
        .then((answer) => answer.text())
        .catch(() => '');
      if (!leaves && !answered.includes(id)) throw new Fault(`no answer over stdio: ${answered}`);
      const ended = await fetch(house.stdio, { method: 'DELETE', headers: { ...headers, authorization: `Bearer ${token}` } });
      if (!ended.ok) throw new Fault(`a session did not end: ${ended.status}`);
    },
  },
];
