// HTTP+SSE of 2024-11-05 with hallpass between: npm's server-everything behind it, the official SDK's clients before it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as v2 from '@modelcontextprotocol/client';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import { CALLBACK } from '../peers/authorization-server.js';
import { converse } from '../peers/conversation.js';
import { Everything } from '../peers/everything.js';
import { ALICE, Hallpass } from '../peers/hallpass.js';
import { waitFor } from '../peers/process.js';
import { Application, newClient } from '../peers/sdk-client.js';
import { TextBrowser } from '../peers/text-browser.js';

const newV2 = () => new v2.Client({ name: 'stranger', version: '1.0.0' });

/** Connects, is refused, logs in by the transport's own means, and connects again. */
async function logIn(Transport, make, endpoint) {
  const application = new Application(CALLBACK);
  const first = new Transport(new URL(endpoint), { authProvider: application });
  await assert.rejects(make().connect(first), /Unauthorized/);
  assert.ok(application.authorizationUrl, 'the refusal led to a login');
  const answer = (await new TextBrowser().allow(application.authorizationUrl, ALICE)).searchParams;
  assert.equal(answer.get('state'), application.expectedState);
  await first.finishAuth(answer.get('code'), answer.get('iss'));
  await first.close();
  const [client, transport] = [make(), new Transport(new URL(endpoint), { authProvider: application })];
  await client.connect(transport);
  return { client, transport, application };
}

test('a server that speaks HTTP+SSE', { timeout: 120_000 }, async (t) => {
  const everything = await Everything.start(t, 'sse');
  const hallpass = await Hallpass.serve(t, [], {
    config: `
      [server]
      upstream = "${everything.url}"
      upstream_transport = "sse"
    `,
  });
  const { endpoint } = hallpass;

  const { client, transport, application } = await logIn(SSEClientTransport, newClient, endpoint);
  t.after(() => client.close());

  await t.test('gives the SDK the same answers as without hallpass', async () => {
    const direct = newClient();
    await direct.connect(new SSEClientTransport(new URL(everything.url)));
    t.after(() => direct.close());
    assert.deepEqual(await converse(client), await converse(direct));
  });

  await t.test('has its stream while tokens change', async () => {
    const before = application.tokens();
    // An access token that is refused makes the SDK use its refresh token.
    application.saveTokens({ ...before, access_token: `${before.access_token}x` });
    assert.deepEqual(await client.ping(), {});
    assert.notEqual(application.tokens().access_token, before.access_token);
  });

  await t.test('is named to nobody, and its endpoint is of no use to anybody else', async () => {
    const token = application.tokens().access_token;
    const stream = await fetch(endpoint, { headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' } });
    const reader = stream.body.getReader();
    t.after(() => reader.cancel().catch(() => {}));
    let said = '';
    while (!said.includes('\n\n')) said += Buffer.from((await reader.read()).value);
    const [, named] = /^event: endpoint\ndata: (\S+)\n\n/.exec(said) ?? assert.fail(said);
    assert.match(named, /^\/mcp\?sessionId=[0-9a-f]{64}$/);
    const post = (headers) =>
      fetch(new URL(named, endpoint), {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
      });
    assert.equal((await post({})).status, 401);
    // Bob logs in by himself, and knows the endpoint.
    const bob = await logInAs(hallpass, { name: 'bob', password: 'another horse battery staple' });
    assert.equal((await post({ authorization: `Bearer ${bob}` })).status, 404);
    assert.equal((await post({ authorization: `Bearer ${token}` })).status, 202);
  });

  await t.test('is reached by clients of streamable HTTP that go on to HTTP+SSE', async () => {
    // As the SDK's own documentation has it: the newer transport first, the older one where that is refused with a 4xx.
    const newer = new StreamableHTTPClientTransport(new URL(endpoint), { authProvider: application });
    await assert.rejects(newClient().connect(newer), { code: 405 });
    const older = newClient();
    await older.connect(new SSEClientTransport(new URL(endpoint), { authProvider: application }));
    t.after(() => older.close());
    assert.ok((await older.listTools()).tools.length > 0);
  });

  await t.test('is reached by the next line of the SDK', async () => {
    const next = await logIn(v2.SSEClientTransport, newV2, endpoint);
    t.after(() => next.client.close());
    const { content } = await next.client.callTool({ name: 'echo', arguments: { message: 'Grüße' } });
    assert.deepEqual(content, [{ type: 'text', text: 'Echo: Grüße' }]);
  });

  await t.test('hears that a client has left', async () => {
    const left = () => everything.program.stderr.split('Client Disconnected').length;
    const before = left();
    await transport.close();
    await waitFor(() => left() > before, { why: () => 'the server still has the stream' });
  });
});

/** A token of somebody else's. */
async function logInAs(hallpass, user) {
  await hallpass.administer(['user', 'add', user.name, '--password-stdin'], `${user.password}\n`);
  const application = new Application(CALLBACK);
  const at = { serverUrl: hallpass.endpoint };
  await v2.auth(application, at);
  const answer = (await new TextBrowser().allow(application.authorizationUrl, user)).searchParams;
  await v2.auth(application, { ...at, authorizationCode: answer.get('code'), iss: answer.get('iss') });
  return application.tokens().access_token;
}
