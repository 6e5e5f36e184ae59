// Logging in at npm's `oidc-provider`, an authorization server that others wrote and certified: each way to a client
// id, each way to a token. The MCP server is the SDK's, behind a check of tokens with `jose`.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Browser } from '../peers/browser.js';
import { Installation } from '../peers/installation.js';
import { OidcProvider, SCOPES } from '../peers/oidc-provider.js';
import { Person } from '../peers/person.js';
import { ProtectedServer } from '../peers/protected-server.js';

const DOCUMENT = 'https://client.example/hallpass.json';

test('oidc-provider as the authorization server', { timeout: 120_000 }, async (t) => {
  const person = new Person(await Browser.open(t));

  /** An authorization server, an MCP server of it, and a hallpass that knows neither. */
  async function arrange(owner, options, server = {}) {
    const as = await OidcProvider.start(owner, options);
    const mcp = await ProtectedServer.start(owner, { issuer: as.issuer, scopes: SCOPES, ...server });
    return { as, mcp, installation: await Installation.make(owner) };
  }

  /** `hallpass login`, then a call through `hallpass connect`; gives what the server read in the token. */
  async function logIn({ as, mcp, installation }, ...options) {
    const said = await installation.runWithLogin(['login', mcp.url, ...options], async (url) => {
      await person.open(url);
      await as.logIn(person).catch((error) => {
        throw new Error(`${error.message}\n${as.events.join('\n')}`, { cause: error });
      });
      await person.reads(/you can close this/i);
    });
    assert.match(said, new RegExp(`Logged in to ${mcp.url} at ${as.issuer}`));
    return whoami({ mcp, installation }, ...options);
  }

  async function whoami({ mcp, installation }, ...options) {
    const { content } = await installation.callTool([mcp.url, ...options], 'whoami');
    return JSON.parse(content[0].text);
  }

  await t.test('a client ID metadata document', async (t) => {
    const arrangement = await arrange(t, {
      features: { clientIdMetadataDocument: { enabled: true, ack: 'draft-02' } },
      documents: {
        [DOCUMENT]: {
          client_id: DOCUMENT,
          client_name: 'hallpass',
          application_type: 'native',
          redirect_uris: ['http://127.0.0.1/callback'],
          grant_types: ['authorization_code', 'refresh_token'],
          response_types: ['code'],
          token_endpoint_auth_method: 'none',
        },
      },
    });
    const claims = await logIn(arrangement, '--client-metadata-url', DOCUMENT);
    assert.equal(claims.client_id, DOCUMENT);
    assert.equal(claims.aud, arrangement.mcp.url);
    assert.equal(claims.sub, 'alice');
  });

  await t.test('dynamic registration, and a token for scripts', async (t) => {
    const arrangement = await arrange(t, { features: { registration: { enabled: true } } });
    const { as, mcp, installation } = arrangement;
    const claims = await logIn(arrangement);
    assert.ok(as.has('registration_create.success'));
    assert.equal(claims.scope, SCOPES.join(' '));
    const field = (await installation.run(['token', mcp.url, '--header'])).trim();
    assert.match(field, /^Authorization: Bearer ey/);
    const [name, value] = field.split(': ');
    const answer = await fetch(mcp.url, { method: 'POST', headers: { [name]: value } });
    assert.notEqual(answer.status, 401);
  });

  await t.test('pushed authorization requests, where nothing else is taken', async (t) => {
    const arrangement = await arrange(t, {
      features: {
        registration: { enabled: true },
        pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: true },
      },
    });
    await logIn(arrangement);
    assert.ok(arrangement.as.has('pushed_authorization_request.success'));
  });

  await t.test('tokens bound to a key, with nonces of both servers', async (t) => {
    const arrangement = await arrange(
      t,
      {
        features: {
          registration: { enabled: true },
          dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 1), requireNonce: () => true },
        },
      },
      { dpop: true },
    );
    const claims = await logIn(arrangement);
    assert.equal(claims.scheme, 'DPoP');
    assert.ok(claims.cnf.jkt);
    assert.ok(arrangement.as.events.some((event) => /nonce/.test(event)), 'the authorization server asked for its nonce');
    assert.ok(arrangement.mcp.nonceDemands > 0, 'and so did the MCP server');
  });

  await t.test('a code that is typed on another device', async (t) => {
    const arrangement = await arrange(t, {
      features: { registration: { enabled: true }, deviceFlow: { enabled: true } },
    });
    const { as, mcp, installation } = arrangement;
    // A machine without a screen: there the code is offered by itself.
    const program = installation.start(['login', mcp.url], { env: { BROWSER: '', DISPLAY: '', WAYLAND_DISPLAY: '' } });
    const [, page, code] = await program.prints(/Or open (\S+) on any device and type the code (\S+)/);
    await person.open(page);
    await person.fillIn('user_code', code);
    await person.press(/continue/i);
    await person.press(/continue/i);
    await as.logIn(person, 'bob');
    await person.reads(/success/i);
    assert.equal(await program.end(), 0, program.output());
    assert.equal((await whoami(arrangement)).sub, 'bob');
  });
});
