// A server with `arrangement = "external"` whose authorization server is of PyPI: fastmcp's. hallpass's own client and
// the official SDK log in there and are let through; what the check says of it is true.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Callback } from '../peers/callback.js';
import { Everything } from '../peers/everything.js';
import { FastMcpIssuer } from '../peers/fastmcp-issuer.js';
import { Hallpass } from '../peers/hallpass.js';
import { Installation } from '../peers/installation.js';
import { connectWithLogin } from '../peers/sdk-client.js';
import { MCP_HEADERS, PING } from '../peers/upstream.js';

test("fastmcp's authorization server as the issuer", { timeout: 120_000 }, async (t) => {
  const [as, everything] = await Promise.all([FastMcpIssuer.start(t), Everything.start(t)]);
  const hallpass = await Hallpass.serve(t, [], {
    user: null,
    config: `
      [server]
      upstream = "${everything.url}"
      arrangement = "external"
      [server.scopes]
      default = ["mcp:read"]
      [server.tools]
      "echo" = { scopes = ["mcp:read"] }
      [[server.issuers]]
      issuer = "${as.issuer}"
      jwks_uri = "${as.keys}"
      types = ["", "JWT"]
    `,
  });
  /** The server lets everybody in who asks: opening the address is the whole login. */
  const agrees = async (url) => assert.ok((await fetch(url)).ok);

  await t.test('metadata names it and nobody else', async () => {
    const metadata = new URL('/.well-known/oauth-protected-resource/mcp', hallpass.endpoint);
    assert.deepEqual((await (await fetch(metadata)).json()).authorization_servers, [as.issuer]);
  });

  await t.test('`connect` logs in there, and calls a tool', async () => {
    const installation = await Installation.make(t);
    const said = await installation.runWithLogin(['login', hallpass.endpoint], agrees);
    assert.ok(said.includes(as.issuer), said);
    const { content } = await installation.callTool([hallpass.endpoint], 'echo', { message: 'there' });
    assert.match(content[0].text, /there/);
  });

  await t.test('the official SDK logs in there, and its token is renewed', async () => {
    const callback = await Callback.listen(t);
    const { client, application } = await connectWithLogin(hallpass.endpoint, callback, agrees);
    t.after(() => client.close());
    const before = application.tokens();
    application.saveTokens({ ...before, access_token: `${before.access_token}x` });
    assert.deepEqual(await client.ping(), {});
    assert.notEqual(application.tokens().access_token, before.access_token);
  });

  await t.test('a token of the same issuer for another server is refused', async () => {
    const other = await Hallpass.serve(t, [], {
      user: null,
      config: `
        [server]
        upstream = "${everything.url}"
        arrangement = "external"
        scopes.default = ["mcp:read"]
        issuers = [{ issuer = "${as.issuer}", jwks_uri = "${as.keys}", types = ["", "JWT"] }]
      `,
    });
    const callback = await Callback.listen(t);
    const { client, application } = await connectWithLogin(other.endpoint, callback, agrees);
    t.after(() => client.close());
    const authorization = `Bearer ${application.tokens().access_token}`;
    const call = (endpoint) => fetch(endpoint, { ...PING, headers: { ...MCP_HEADERS, authorization } });
    assert.equal((await call(hallpass.endpoint)).status, 401);
    assert.notEqual((await call(other.endpoint)).status, 401);
  });

  await t.test('the online check says so beforehand', async () => {
    const [, , config] = hallpass.options.slice(1);
    const said = await hallpass.administer(['config', 'check', config, '--online', '--json']);
    const [{ verdict, features }] = JSON.parse(said);
    const of = Object.fromEntries(features.map(({ feature, verdict }) => [feature, verdict]));
    assert.equal(verdict, 'warning');
    for (const feature of ['metadata', 'issuer equality', 'registration', 'S256', 'verification']) assert.equal(of[feature], 'ok', feature);
    for (const feature of ['metadata documents', 'iss', 'DPoP']) assert.equal(of[feature], 'warning', feature);
  });
});
