// hallpass as the resource server of others: npm's `oidc-provider` issues the tokens, `oauth4webapi` gets and shows them.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';

import * as oauth from 'oauth4webapi';

import { clientCert, ONE, OTHER } from '../peers/certificates.js';
import { Hallpass } from '../peers/hallpass.js';
import { OidcProvider, resourceServer } from '../peers/oidc-provider.js';
import { temporaryFolder } from '../peers/process.js';
import { MCP_HEADERS, PING, Upstream } from '../peers/upstream.js';

const INSECURE = { [oauth.allowInsecureRequests]: true };
const SECRET = 'a secret of this test';
const ROBOT = { client_id: 'robot' };
const [READ, WRITE] = ['mcp:read', 'mcp:write'];
const WRITE_NOTE = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"write_note","arguments":{}}}';

const machine = (client_id) => ({
  client_id,
  client_secret: SECRET,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
});

/** An issuer, a hallpass that trusts it, and a client of both. */
class Arrangement {
  static async make(owner, { features, credentials = '', issuer = '', clients = [] } = {}) {
    const self = new Arrangement();
    self.as = await OidcProvider.start(owner, {
      clients: [machine('robot'), ...clients],
      features: { clientCredentials: { enabled: true }, ...features },
    });
    const upstream = await Upstream.start(owner);
    self.hallpass = await Hallpass.serve(owner, [], {
      user: null,
      config: `
        [server]
        upstream = "${upstream.url}"
        [server.scopes]
        default = ["${READ}"]
        [server.tools]
        write_note = { scopes = ["${WRITE}"] }
        [server.credentials]
        ${credentials}
        [[server.issuers]]
        issuer = "${self.as.issuer}"
        ${issuer}
      `,
    });
    self.endpoint = self.hallpass.endpoint;
    const answer = await oauth.discoveryRequest(new URL(self.as.issuer), { algorithm: 'oidc', ...INSECURE });
    self.metadata = await oauth.processDiscoveryResponse(new URL(self.as.issuer), answer);
    return self;
  }

  /** A token for the client itself. With DPoP, the issuer may ask for its nonce first. */
  async token({ scope = READ, resource = this.endpoint, client = ROBOT, headers, ...options } = {}) {
    return withNonce(options, async () => {
      const basic = oauth.ClientSecretBasic(SECRET);
      const all = { ...INSECURE, headers, ...options };
      const answer = await oauth.clientCredentialsGrantRequest(this.metadata, client, basic, { scope, resource }, all);
      return (await oauth.processClientCredentialsResponse(this.metadata, client, answer)).access_token;
    });
  }

  /** What hallpass tells the server behind it; a refusal is thrown. */
  async call(token, { body = PING.body, headers = {}, ...options } = {}) {
    return withNonce(options, async () => {
      const all = { ...INSECURE, ...options };
      const sent = new Headers({ ...MCP_HEADERS, ...headers });
      const answer = await oauth.protectedResourceRequest(token, 'POST', new URL(this.endpoint), sent, body, all);
      if (answer.status !== 200) throw Object.assign(new Error(await answer.text()), { status: answer.status });
      return (await answer.json()).result;
    });
  }
}

/** Once more, where a nonce was asked for, which the handle has remembered. */
async function withNonce({ DPoP }, request) {
  try {
    return await request();
  } catch (error) {
    if (!DPoP || !oauth.isDPoPNonceError(error)) throw error;
    return request();
  }
}

/** The refusal by its status, and by the error of its challenge. */
const refused = (status, error) => (thrown) => {
  assert.equal(thrown.status, status, thrown.stack);
  if (error) assert.ok(thrown.cause.some(({ parameters }) => parameters.error === error), JSON.stringify(thrown.cause));
  return true;
};

test('JWT access tokens of oidc-provider', { timeout: 120_000 }, async (t) => {
  const arrangement = await Arrangement.make(t);

  await t.test('are taken, and upstream hears whose they are', async () => {
    const caller = await arrangement.call(await arrangement.token());
    assert.equal(caller.issuer, arrangement.as.issuer);
    assert.equal(caller.subject, `${arrangement.as.issuer}#robot`);
    assert.equal(caller.client, 'robot');
    assert.equal(caller.scope, READ);
  });

  await t.test('for another resource are refused', async () => {
    const other = await arrangement.token({ resource: 'http://localhost:1/mcp' });
    await assert.rejects(arrangement.call(other), refused(401, 'invalid_token'));
  });

  await t.test('with a signature that was changed are refused', async () => {
    const [header, claims, signature] = (await arrangement.token()).split('.');
    const changed = [header, claims, signature.slice(0, -4) + (signature.endsWith('AAAA') ? 'BBBB' : 'AAAA')].join('.');
    await assert.rejects(arrangement.call(changed), refused(401, 'invalid_token'));
  });

  await t.test('need the scope of the tool', async () => {
    const body = WRITE_NOTE;
    await assert.rejects(arrangement.call(await arrangement.token(), { body }), refused(403, 'insufficient_scope'));
    await arrangement.call(await arrangement.token({ scope: `${READ} ${WRITE}` }), { body });
  });
});

test('opaque access tokens of oidc-provider', { timeout: 120_000 }, async (t) => {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  const secret = path.join(folder, 'introspection.secret');
  await writeFile(secret, SECRET);
  const arrangement = await Arrangement.make(t, {
    clients: [machine('notes')],
    features: {
      introspection: { enabled: true, allowedPolicy: (_, client) => client.clientId === 'notes' },
      resourceIndicators: { enabled: true, getResourceServerInfo: resourceServer('opaque') },
    },
    issuer: `introspection = { client_id = "notes", secret_file = "${secret}" }`,
  });

  await t.test('are asked about', async () => {
    const token = await arrangement.token();
    assert.ok(!token.includes('.'), 'the token is no JWT');
    const caller = await arrangement.call(token);
    assert.equal(caller.subject, `${arrangement.as.issuer}#robot`);
    assert.equal(caller.scope, READ);
  });

  await t.test('that were revoked, made up, or made for another resource are refused', async () => {
    const revoked = await arrangement.token();
    const answer = await oauth.revocationRequest(arrangement.metadata, ROBOT, oauth.ClientSecretBasic(SECRET), revoked, INSECURE);
    await oauth.processRevocationResponse(answer);
    const other = await arrangement.token({ resource: 'http://localhost:1/mcp' });
    for (const token of [revoked, other, randomBytes(32).toString('base64url')]) {
      await assert.rejects(arrangement.call(token), refused(401, 'invalid_token'));
    }
  });
});

test('DPoP with nonces of oidc-provider and of hallpass', { timeout: 120_000 }, async (t) => {
  const arrangement = await Arrangement.make(t, {
    features: { dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true } },
    credentials: 'dpop = "require"\ndpop_nonces = true',
  });
  const DPoP = oauth.DPoP(ROBOT, await oauth.generateKeyPair('ES256'));
  const token = await arrangement.token({ DPoP });
  assert.equal((await arrangement.call(token, { DPoP })).client, 'robot');
  assert.equal((await arrangement.call(token, { DPoP })).client, 'robot');
  const other = oauth.DPoP(ROBOT, await oauth.generateKeyPair('ES256'));
  await assert.rejects(arrangement.call(token, { DPoP: other }), refused(401, 'invalid_token'));
  await assert.rejects(arrangement.call(token), refused(401), 'a bound token as Bearer');
  await assert.rejects(arrangement.call(await arrangement.token()), refused(401), 'a token that is not bound');
});

test('certificate-bound tokens of oidc-provider, behind a proxy that ends TLS', { timeout: 120_000 }, async (t) => {
  const arrangement = await Arrangement.make(t, {
    clients: [{ ...machine('bound'), tls_client_certificate_bound_access_tokens: true }],
    features: {
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        getCertificate: (ctx) => ctx.get('x-certificate') && Buffer.from(ctx.get('x-certificate'), 'base64').toString(),
      },
    },
    credentials: 'proxies = ["127.0.0.1", "::1"]',
  });
  const headers = { 'x-certificate': Buffer.from(ONE).toString('base64') };
  const token = await arrangement.token({ client: { client_id: 'bound' }, headers });
  const caller = await arrangement.call(token, { headers: { 'client-cert': clientCert(ONE) } });
  assert.equal(caller.client, 'bound');
  const wrong = arrangement.call(token, { headers: { 'client-cert': clientCert(OTHER) } });
  await assert.rejects(wrong, refused(401, 'invalid_token'), 'another certificate');
  await assert.rejects(arrangement.call(token), refused(401, 'invalid_token'), 'no certificate');
});

test('keys of oidc-provider change under load, and it goes away', { timeout: 120_000 }, async (t) => {
  const arrangement = await Arrangement.make(t);
  const kids = new Set();
  let [calls, isOver] = [0, false];
  const note = (token) => kids.add(JSON.parse(Buffer.from(token.split('.')[0], 'base64url')).kid);
  /** New tokens, and each used twice. Any refusal ends the test. */
  const worker = async () => {
    while (!isOver) {
      const token = await arrangement.token();
      note(token);
      await arrangement.call(token);
      await arrangement.call(token);
      calls += 2;
    }
  };
  const workers = Promise.all([worker(), worker(), worker(), worker()]);
  const pause = (seconds) => Promise.race([workers, new Promise((resolve) => setTimeout(resolve, seconds * 1000))]);
  for (let turn = 0; turn < 2; turn += 1) {
    // An unknown key is looked for every ten seconds at most (docs/schemes.md).
    await pause(11);
    await arrangement.as.rotateKeys();
  }
  await pause(3);
  isOver = true;
  await workers;
  assert.equal(kids.size, 3, 'tokens of three keys were shown');
  assert.ok(calls > 50, `${calls} calls`);
  t.diagnostic(`${calls} calls with tokens of 3 keys, none refused`);

  const unseen = await arrangement.token();
  const forged = await forge(arrangement);
  await arrangement.as.stop();
  assert.equal((await arrangement.call(unseen)).client, 'robot', 'a token that was not shown before the outage');
  await assert.rejects(arrangement.call(forged), (thrown) => [401, 503].includes(thrown.status));
});

/** A token that says of itself what a good one does, by a key that is not the issuer's. */
async function forge(arrangement) {
  const [header, claims] = (await arrangement.token()).split('.');
  const { privateKey } = await oauth.generateKeyPair('ES256');
  const signed = new TextEncoder().encode(`${header}.${claims}`);
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, privateKey, signed);
  return `${header}.${claims}.${Buffer.from(signature).toString('base64url')}`;
}
