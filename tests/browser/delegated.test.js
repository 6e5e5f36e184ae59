// The arrangement `delegated`: a server acts at third parties for whoever calls, with tokens that no client sees. The third
// parties are npm's `oidc-provider`, and an authorization server of PyPI's fastmcp.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';

import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { UrlElicitationRequiredError } from '@modelcontextprotocol/sdk/types.js';
import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from 'jose';

import { Browser } from '../peers/browser.js';
import { Callback } from '../peers/callback.js';
import { Everything } from '../peers/everything.js';
import { FastMcpIssuer } from '../peers/fastmcp-issuer.js';
import { ALICE, Hallpass } from '../peers/hallpass.js';
import { Installation } from '../peers/installation.js';
import { OidcProvider, withoutResource } from '../peers/oidc-provider.js';
import { Person } from '../peers/person.js';
import { freePort, temporaryFolder, waitFor } from '../peers/process.js';
import { connectWithLogin } from '../peers/sdk-client.js';
import { PING } from '../peers/upstream.js';
import { Witness } from '../peers/witness.js';

const SECRET = 'a secret of this test';
const [BOB, CAROL] = ['bob', 'carol'].map((name) => ({ ...ALICE, name }));

/** A third party that knows one hallpass, of this issuer, by this name. */
async function thirdParty(owner, issuer, name, { format = 'opaque', lifetime = 600 } = {}) {
  const clients = [
    {
      client_id: 'hallpass',
      client_secret: SECRET,
      redirect_uris: [`${issuer}/providers/${name}/callback`],
      response_types: ['code'],
      grant_types: ['authorization_code', 'refresh_token'],
    },
  ];
  return OidcProvider.start(owner, { clients, ...withoutResource(format, lifetime) });
}

async function secretFile(owner, secret = SECRET) {
  const { folder, remove } = await temporaryFolder();
  owner.after(remove);
  const file = path.join(folder, 'secret');
  await writeFile(file, secret, { mode: 0o600 });
  return file;
}

const known = (name, as, secret, client = 'hallpass') => `
  [third_parties.${name}]
  issuer = "${as.issuer}"
  label = "${shown(name)}"
  client_id = "${client}"
  secret_file = "${secret}"
`;

const shown = (name) => name.charAt(0).toUpperCase() + name.slice(1);

/** What a server that nobody here wrote is told of whoever calls, and the server. */
async function serverBehind(owner) {
  return Witness.start(owner, (await Everything.start(owner)).url);
}

/** Yes to linking, where that is asked, and then at the third party; `there` is what one does who comes for the first time. */
async function link(person, as, name, { who = 'alice', there = () => as.logIn(person, `${who}-at-${name}`) } = {}) {
  await person.reads(new RegExp(`link your account at ${name}`, 'i'));
  await person.press(new RegExp(`^continue to ${name}`, 'i'));
  await there().catch((error) => {
    throw new Error(`${error.message}\n${as.events.join('\n')}`, { cause: error });
  });
}

/** Yes to the app, which can have the server act there. */
async function consent(person, ...parties) {
  const said = await person.readConsent();
  for (const party of parties) assert.match(said, new RegExp(`acts for you at ${party}`, 'i'));
  await person.consent();
}

/** What a person does who comes for the first time: a login here, a link, and yes to the app. */
const logIn = (person, as, user = ALICE, name = 'acme') => async (url) => {
  await person.open(url);
  await person.logIn(user);
  await link(person, as, name, { who: user.name });
  await consent(person, name);
};

const echo = async (client, message) => (await client.callTool({ name: 'echo', arguments: { message } })).content[0].text;

for (const format of ['jwt', 'opaque']) {
  test(`a server acts at a third party whose tokens are ${format}`, { timeout: 120_000 }, async (t) => {
    const port = await freePort();
    const as = await thirdParty(t, `http://localhost:${port}`, 'acme', { format });
    const behind = await serverBehind(t);
    const hallpass = await Hallpass.serve(t, [], {
      port,
      config: `
        [server]
        upstream = "${behind.url}"
        [server.scopes]
        notes = { says = "Notes" }
        [server.delegated.acme]
        field = "Authorization"
        scopes = ["mcp:read"]
        ${known('acme', as, await secretFile(t))}
      `,
    });
    for (const { name, password } of [BOB, CAROL]) {
      await hallpass.administer(['user', 'add', name, '--password-stdin'], `${password}\n`);
    }
    /** The one token that arrived since the last time, and whose it is there. */
    const arrived = async () => {
      const [only, ...more] = behind.values('authorization');
      behind.seen = [];
      assert.deepEqual(more, []);
      assert.match(only, /^Bearer /);
      const token = only.slice('Bearer '.length);
      assert.equal(token.split('.').length, format === 'jwt' ? 3 : 1);
      return { token, who: await as.whose(token) };
    };

    await t.test('a client of the TypeScript SDK', async () => {
      const person = new Person(await Browser.open(t));
      const callback = await Callback.listen(t);
      const { client, application } = await connectWithLogin(hallpass.endpoint, callback, logIn(person, as));
      assert.match(await echo(client, 'at Acme'), /at Acme/);
      await client.close();
      const { token, who } = await arrived();
      assert.equal(who, 'alice-at-acme');
      const own = application.tokens();
      assert.equal(`${new URL(decodeJwt(own.access_token).iss)}`, `${hallpass.issuer}/`);
      assert.ok(!JSON.stringify(own).includes(token), 'the client has hallpass’s token alone');
    });

    await t.test('`hallpass login`, and then `hallpass connect`', async () => {
      const person = new Person(await Browser.open(t));
      const installation = await Installation.make(t);
      await installation.runWithLogin(['login', hallpass.endpoint], async (url) => {
        await logIn(person, as, BOB)(url);
        await person.reads(/you can close this/i);
      });
      const { content } = await installation.callTool([hallpass.endpoint], 'echo', { message: 'by connect' });
      assert.match(content[0].text, /by connect/);
      assert.equal((await arrived()).who, 'bob-at-acme');
    });

    await t.test('`hallpass connect`, which opens the browser by itself', async () => {
      const person = new Person(await Browser.open(t));
      const installation = await Installation.make(t);
      const { client, connected, said } = installation.bridge([hallpass.endpoint]);
      // A failure shows where it is waited for, below.
      connected.catch(() => {});
      await logIn(person, as, CAROL)(await installation.opener.wasAskedFor(said));
      await person.reads(/you can close this/i);
      await connected;
      assert.match(await echo(client, 'by itself'), /by itself/);
      await client.close();
      assert.equal((await arrived()).who, 'carol-at-acme');
    });
  });
}

test('a second third party is linked when it is first needed, and unlinked', { timeout: 120_000 }, async (t) => {
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const [acme, globex] = [await thirdParty(t, issuer, 'acme'), await thirdParty(t, issuer, 'globex')];
  const behind = await serverBehind(t);
  const secret = await secretFile(t);
  const hallpass = await Hallpass.serve(t, [], {
    port,
    config: `
      [server]
      upstream = "${behind.url}"
      [server.scopes]
      default = ["notes"]
      notes = { says = "Notes" }
      sums = { says = "Sums" }
      [server.tools]
      "get-sum" = { scopes = ["sums"] }
      [server.delegated.acme]
      field = "Authorization"
      scopes = ["mcp:read"]
      [server.delegated.globex]
      field = "X-Globex-Token"
      scopes = ["mcp:write"]
      scope = "sums"
      ${known('acme', acme, secret)}
      ${known('globex', globex, secret)}
    `,
  });
  const person = new Person(await Browser.open(t));
  const installation = await Installation.make(t);
  await installation.runWithLogin(['login', hallpass.endpoint], async (url) => {
    await logIn(person, acme)(url);
    await person.reads(/you can close this/i);
  });
  await installation.opener.forget();
  const { client, connected, said } = installation.bridge([hallpass.endpoint]);
  await connected;
  assert.match(await echo(client, 'without'), /without/);
  assert.deepEqual(behind.values('x-globex-token'), [undefined]);
  assert.equal(await installation.opener.wasAsked(), false);

  /** The very call waits for the person, and is answered. */
  const sum = async (b, there) => {
    const call = client.callTool({ name: 'get-sum', arguments: { a: 20, b } });
    // A failure shows where it is waited for, below.
    call.catch(() => {});
    await person.open(await installation.opener.wasAskedFor(said));
    await link(person, globex, 'globex', { there });
    await consent(person, 'globex', 'acme');
    await person.reads(/you can close this/i);
    assert.match((await call).content[0].text, new RegExp(`${20 + b}`));
    await installation.opener.forget();
    const token = behind.seen.at(-1)['x-globex-token'];
    assert.equal(await globex.whose(token), 'alice-at-globex');
    assert.equal(await acme.whose(behind.seen.at(-1).authorization.slice('Bearer '.length)), 'alice-at-acme');
    return token;
  };
  const token = await sum(22);

  // Globex is told, and all that it gave is over; whoever needs it is asked to link it again.
  await person.open(`${hallpass.issuer}/account`);
  await person.press(/^unlink globex$/i);
  await person.reads(/unlink globex\?/i);
  await person.press(/^unlink$/i);
  await person.reads(/globex[^]*not linked/i);
  await waitFor(() => globex.has('grant.revoked'), { why: () => globex.events.join('\n') });
  assert.equal(acme.has('grant.revoked'), false);
  // There they are logged in still, and asked for their yes alone.
  assert.notEqual(await sum(23, () => globex.consent(person)), token);
  await client.close();
});

test('a server that needs another third party from now on', { timeout: 120_000 }, async (t) => {
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const [acme, globex] = [await thirdParty(t, issuer, 'acme'), await thirdParty(t, issuer, 'globex')];
  const behind = await serverBehind(t);
  const secret = await secretFile(t);
  const acts = (name, field) => `
    [server.delegated.${name}]
    field = "${field}"
    scopes = ["mcp:read"]
    ${known(name, name === 'acme' ? acme : globex, secret)}
  `;
  const config = `
    [server]
    upstream = "${behind.url}"
    [server.scopes]
    notes = { says = "Notes" }
    ${acts('acme', 'Authorization')}
  `;
  const idp = 'https://idp.example.com';
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  await writeFile(path.join(folder, 'keys'), JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' }] }));
  const trusted = `
    [[authorization_server.trusted_issuers]]
    issuer = "${idp}"
    jwks = "${path.join(folder, 'keys')}"
    kind = "id-jag"
    accounts = "linked"
    email_domains = ["example.com"]
    rules = [{ client_id = "wiki", subject = "*", scopes = ["notes"] }]
  `;
  const user = { ...ALICE, name: 'alice@example.com' };
  const grant = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
  const wiki = { add: ['--id', 'wiki', '--grant', grant], secret: SECRET };
  const hallpass = await Hallpass.serve(t, [], { port, config: config + trusted, user, clients: [wiki] });
  const person = new Person(await Browser.open(t));
  const callback = await Callback.listen(t);
  const { client, application, transport } = await connectWithLogin(hallpass.endpoint, callback, logIn(person, acme, user));
  t.after(() => client.close());

  /** A client of the company's, for whom its provider says who calls: nobody is at a browser. */
  const assertion = await new SignJWT({ client_id: 'wiki', scope: 'notes', resource: hallpass.endpoint, email: user.name, email_verified: true })
    .setProtectedHeader({ alg: 'ES256', typ: 'oauth-id-jag+jwt', kid: 'k' })
    .setIssuer(idp).setSubject('a').setAudience(hallpass.issuer).setIssuedAt().setExpirationTime('5m').setJti('1')
    .sign(privateKey);
  const body = new URLSearchParams({ grant_type: grant, client_id: 'wiki', client_secret: SECRET, assertion });
  const answer = await fetch(`${hallpass.issuer}/token`, { method: 'POST', body });
  assert.equal(answer.status, 200, await answer.clone().text());
  const { access_token } = await answer.json();
  const able = new Client({ name: 'able', version: '1.0.0' }, { capabilities: { elicitation: { url: {} } } });
  t.after(() => able.close());
  const headers = { authorization: `Bearer ${access_token}` };
  await able.connect(new StreamableHTTPClientTransport(new URL(hallpass.endpoint), { requestInit: { headers } }));
  for (const one of [client, able]) assert.match(await echo(one, 'Acme alone'), /Acme alone/);

  await writeFile(path.join(hallpass.data.folder, 'hallpass.toml'), config + acts('globex', 'X-Globex-Token') + trusted);
  const refused = (one) =>
    waitFor(() => echo(one, 'not yet').then(() => undefined, (error) => error), { patience: 20_000, why: () => hallpass.program.output() });

  await t.test('who can be led to a page is led there, and goes on with the same token', async () => {
    const asked = await refused(able);
    assert.ok(asked instanceof UrlElicitationRequiredError, asked);
    const [{ url, message }, ...more] = asked.elicitations;
    assert.deepEqual(more, []);
    assert.match(message, /your account at Globex/);
    const arrived = behind.seen.length;
    await person.open(url);
    await link(person, globex, 'globex');
    await person.reads(/globex[^]*linked just now/i);
    assert.match(await echo(able, 'at both'), /at both/);
    for (const fields of behind.seen.slice(arrived)) {
      assert.equal(await acme.whose(fields.authorization.slice('Bearer '.length)), `${user.name}-at-acme`);
      assert.equal(await globex.whose(fields['x-globex-token']), 'alice-at-globex');
    }
  });

  await t.test('who has allowed an app in before is asked again, and told of it', async () => {
    // Its refresh token is good for nothing more, and it is said why.
    assert.match((await refused(client)).message, /acts at Globex/);
    application.saveTokens(undefined);
    assert.ok((await refused(client)) instanceof UnauthorizedError);
    await person.open(application.authorizationUrl);
    await consent(person, 'acme', 'globex');
    await transport.finishAuth((await callback.response()).get('code'));
    assert.match(await echo(client, 'told'), /told/);
    assert.equal(await globex.whose(behind.seen.at(-1)['x-globex-token']), 'alice-at-globex');
  });
});

test('a session that ends at the third party', { timeout: 120_000 }, async (t) => {
  const port = await freePort();
  const as = await thirdParty(t, `http://localhost:${port}`, 'acme', { lifetime: 1 });
  const behind = await serverBehind(t);
  const hallpass = await Hallpass.serve(t, [], {
    port,
    config: `
      [server]
      upstream = "${behind.url}"
      [server.scopes]
      notes = { says = "Notes" }
      [server.delegated.acme]
      field = "X-Acme-Token"
      scopes = ["mcp:read"]
      ${known('acme', as, await secretFile(t))}
    `,
  });
  const person = new Person(await Browser.open(t));
  const callback = await Callback.listen(t);
  const { client: sdk, application } = await connectWithLogin(hallpass.endpoint, callback, logIn(person, as));
  await sdk.close();
  const installation = await Installation.make(t);
  await installation.runWithLogin(['login', hallpass.endpoint], async (url) => {
    await person.open(url);
    await consent(person, 'acme');
    await person.reads(/you can close this/i);
  });
  await installation.opener.forget();
  const { client, connected, said } = installation.bridge([hallpass.endpoint]);
  await connected;
  t.after(() => client.close());

  // Nobody notices that a token has ended.
  await waitFor(async () => (await echo(client, 'again')) && as.has('refresh_token.consumed'), { why: () => as.events.join('\n') });
  assert.ok(behind.values('x-acme-token').filter(Boolean).length > 1);
  assert.equal(await installation.opener.wasAsked(), false);

  await as.logOut(person);
  const { access_token, refresh_token } = application.tokens();
  const refused = await waitFor(async () => {
    const answer = await fetch(hallpass.endpoint, { ...PING, headers: { authorization: `Bearer ${access_token}` } });
    return answer.status === 401 && answer;
  });
  assert.match(refused.headers.get('www-authenticate'), /invalid_token/);
  const { error_description: says } = await refused.json();
  assert.match(says, /Acme|ended|revoked/);
  const body = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: application.clientInformation().client_id,
    refresh_token,
  });
  const answer = await fetch(`${hallpass.issuer}/token`, { method: 'POST', body });
  assert.deepEqual([answer.status, (await answer.json()).error], [400, 'invalid_grant']);

  // The very call waits for the person, who links anew, and is answered.
  const call = echo(client, 'and on');
  // A failure shows where it is waited for, below.
  call.catch(() => {});
  await person.open(await installation.opener.wasAskedFor(said));
  await link(person, as, 'acme');
  await consent(person, 'acme');
  await person.reads(/you can close this/i);
  assert.match(await call, /and on/);
});

test('two tenants act at a third party each', { timeout: 120_000 }, async (t) => {
  const port = await freePort();
  const secret = await secretFile(t);
  const all = {};
  for (const name of ['acme', 'globex']) {
    const issuer = `http://localhost:${port}/t/${name}`;
    all[name] = { as: await thirdParty(t, issuer, name), behind: await serverBehind(t), endpoint: `${issuer}/mcp`, issuer };
  }
  const tenant = (name) => `
    ${known(name, all[name].as, secret)}
    [tenants.${name}.server]
    upstream = "${all[name].behind.url}"
    scopes.notes = { says = "Notes" }
    delegated.${name} = { field = "Authorization", scopes = ["mcp:read"] }
  `;
  const hallpass = await Hallpass.serve(t, [], {
    user: null,
    port,
    config: Object.keys(all).map(tenant).join('\n'),
  });
  const person = new Person(await Browser.open(t));
  const callback = await Callback.listen(t);

  // One person of the same name at each, in one browser: what is linked at one tenant is not at the other.
  for (const [name, { as, endpoint, behind }] of Object.entries(all)) {
    await hallpass.administer(['user', 'add', ALICE.name, '--password-stdin', '--tenant', name], `${ALICE.password}\n`);
    const { client } = await connectWithLogin(endpoint, callback, logIn(person, as, ALICE, name));
    assert.match(await echo(client, name), new RegExp(name));
    await client.close();
    const [only, ...more] = behind.values('authorization');
    assert.deepEqual(more, []);
    assert.equal(await as.whose(only.slice('Bearer '.length)), `alice-at-${name}`);
  }
  const [[mine], [other]] = Object.values(all).map(({ behind }) => behind.values('authorization'));
  assert.notEqual(mine, other);

  // Each has its own third party, and none of the other's.
  for (const place of ['acts/acme', 'providers/acme/callback?state=x&code=y']) {
    assert.equal((await fetch(`${all.globex.issuer}/${place}`, { redirect: 'manual' })).status, 404, place);
  }
});

test("an authorization server of PyPI's fastmcp is the third party", { timeout: 120_000 }, async (t) => {
  const port = await freePort();
  const as = await FastMcpIssuer.start(t, { lifetime: 1 });
  const registered = await fetch(`${as.issuer}register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      redirect_uris: [`http://localhost:${port}/providers/acme/callback`],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_post',
      scope: 'mcp:read',
    }),
  });
  assert.equal(registered.status, 201);
  const { client_id, client_secret } = await registered.json();
  const behind = await serverBehind(t);
  const hallpass = await Hallpass.serve(t, [], {
    port,
    config: `
      [server]
      upstream = "${behind.url}"
      [server.scopes]
      notes = { says = "Notes" }
      [server.delegated.acme]
      field = "Authorization"
      scopes = ["mcp:read"]
      ${known('acme', as, await secretFile(t, client_secret), client_id)}
      # It lists Basic, and looks for client_id in the form all the same.
      secret_by = "post"
    `,
  });
  const person = new Person(await Browser.open(t));
  const callback = await Callback.listen(t);
  const { client } = await connectWithLogin(hallpass.endpoint, callback, async (url) => {
    await person.open(url);
    await person.logIn(ALICE);
    await person.reads(/link your account at acme/i);
    // It asks nothing of whoever comes.
    await person.press(/^continue to acme/i);
    await consent(person, 'acme');
  });
  t.after(() => client.close());
  // Renewed while calls go on.
  await waitFor(async () => (await echo(client, 'there')) && behind.values('authorization').length > 2);
  for (const value of behind.values('authorization')) {
    const claims = decodeJwt(value.slice('Bearer '.length));
    assert.deepEqual([claims.iss, claims.client_id], [as.issuer, client_id]);
  }
});
