// Signing in through somebody else: npm's `oidc-provider` says who a person is, hallpass asks for consent and issues its own
// tokens, and the client knows nothing of it.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';

import { decodeJwt } from 'jose';

import { Browser } from '../peers/browser.js';
import { Callback } from '../peers/callback.js';
import { converse } from '../peers/conversation.js';
import { Everything } from '../peers/everything.js';
import { ALICE, Hallpass } from '../peers/hallpass.js';
import { Installation } from '../peers/installation.js';
import { OidcProvider } from '../peers/oidc-provider.js';
import { Person } from '../peers/person.js';
import { freePort, temporaryFolder, waitFor } from '../peers/process.js';
import { connectDirectly, connectWithLogin } from '../peers/sdk-client.js';

const SECRET = 'a secret of this test';

/** A provider that knows one hallpass, of this issuer, by this name. */
async function provider(owner, issuer, name) {
  const logout = `${issuer}/backchannel_logout`;
  return OidcProvider.start(owner, {
    clients: [
      {
        client_id: 'hallpass',
        client_secret: SECRET,
        redirect_uris: [`${issuer}/providers/${name}/callback`],
        response_types: ['code'],
        grant_types: ['authorization_code'],
        backchannel_logout_uri: logout,
        backchannel_logout_session_required: true,
      },
    ],
    features: { backchannelLogout: { enabled: true } },
    tells: [logout],
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    // In the ID token there is the subject alone; the address comes from UserInfo.
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@acme.example`, email_verified: true }),
    }),
  });
}

async function secretFile(owner) {
  const { folder, remove } = await temporaryFolder();
  owner.after(remove);
  const file = path.join(folder, 'secret');
  await writeFile(file, SECRET, { mode: 0o600 });
  return file;
}

const thirdParty = (name, as, secret) => `
  [third_parties.${name}]
  issuer = "${as.issuer}"
  client_id = "hallpass"
  secret_file = "${secret}"
`;

/** What a person does: to the provider by the button, a login there, and yes to the app here. */
const signIn = (person, as, name, label = /^continue with acme$/i) => async (url) => {
  await person.open(url);
  await person.follow(label);
  await as.logIn(person, name).catch((error) => {
    throw new Error(`${error.message}\n${as.events.join('\n')}`, { cause: error });
  });
  await person.readConsent();
  await person.consent();
};

test('people sign in through a provider', { timeout: 120_000 }, async (t) => {
  const port = await freePort();
  const as = await provider(t, `http://localhost:${port}`, 'acme');
  const everything = await Everything.start(t);
  const hallpass = await Hallpass.serve(t, [], {
    user: null,
    port,
    config: `
      [server]
      upstream = "${everything.url}"
      [server.scopes]
      read = { says = "Read" }
      ${thirdParty('acme', as, await secretFile(t))}
      [authorization_server]
      passwords = false
      [authorization_server.sign_in.acme]
      label = "Acme"
      domains = ["acme.example"]
      administrators = ["nobody"]
    `,
  });
  t.after(() => t.passed || console.error(hallpass.program.output()));
  const users = async () => (await hallpass.administer(['user', 'list'])).match(/\S+@acme\.example/g) ?? [];

  await t.test('from a client of the TypeScript SDK', async () => {
    const person = new Person(await Browser.open(t));
    const callback = await Callback.listen(t);
    const { client, application } = await connectWithLogin(hallpass.endpoint, callback, signIn(person, as, 'alice'));
    const direct = await connectDirectly(everything.url);
    t.after(() => direct.close());
    assert.deepEqual(await converse(client), await converse(direct));
    const { content } = await client.callTool({ name: 'echo', arguments: { message: 'through Acme' } });
    assert.match(content[0].text, /through Acme/);
    await client.close();
    const claims = decodeJwt(application.tokens().access_token);
    assert.deepEqual([`${new URL(claims.iss)}`, claims.aud], [`${hallpass.issuer}/`, hallpass.endpoint]);
    assert.notEqual(claims.sub, 'alice', 'a subject of this server, and not of the provider');
    assert.deepEqual(await users(), ['alice@acme.example']);

    // Who is signed in stays so: another app asks for consent alone.
    const other = await Callback.listen(t);
    const again = await connectWithLogin(hallpass.endpoint, other, async (url) => {
      await person.open(url);
      await person.readConsent();
      await person.consent();
    });
    assert.equal(decodeJwt(again.application.tokens().access_token).sub, claims.sub);
    await again.client.close();
  });

  await t.test('from `hallpass login`, and then `hallpass connect` calls a tool', async () => {
    const person = new Person(await Browser.open(t));
    const installation = await Installation.make(t);
    const said = await installation.runWithLogin(['login', hallpass.endpoint], async (url) => {
      await signIn(person, as, 'bob')(url);
      await person.reads(/you can close this/i);
    });
    assert.match(said, new RegExp(`Logged in to ${hallpass.endpoint} at ${hallpass.issuer}`));
    const { content } = await installation.callTool([hallpass.endpoint], 'echo', { message: 'by connect' });
    assert.match(content[0].text, /by connect/);
  });

  await t.test('from `hallpass connect`, which opens the browser by itself', async () => {
    const person = new Person(await Browser.open(t));
    const installation = await Installation.make(t);
    const { client, connected, said } = installation.bridge([hallpass.endpoint]);
    // A failure shows where it is waited for, below.
    connected.catch(() => {});
    await signIn(person, as, 'carol')(await installation.opener.wasAskedFor(said));
    await person.reads(/you can close this/i);
    await connected;
    const { content } = await client.callTool({ name: 'echo', arguments: { message: 'by itself' } });
    assert.match(content[0].text, /by itself/);
    await client.close();
    assert.deepEqual((await users()).sort(), ['alice', 'bob', 'carol'].map((name) => `${name}@acme.example`));
  });

  await t.test('whoever logs out there is out here, in that browser alone', async () => {
    const calls = async (token) =>
      (await fetch(hallpass.endpoint, { method: 'POST', headers: { authorization: `Bearer ${token}` } })).status;
    const signedIn = async () => {
      const person = new Person(await Browser.open(t));
      const callback = await Callback.listen(t);
      const { client, application } = await connectWithLogin(hallpass.endpoint, callback, signIn(person, as, 'dave'));
      await client.close();
      return { person, token: application.tokens().access_token };
    };
    const [one, other] = [await signedIn(), await signedIn()];
    assert.notEqual(await calls(one.token), 401);
    await as.logOut(one.person);
    await waitFor(() => as.has('backchannel.success'), { why: () => as.events.join('\n') });
    assert.equal(await calls(one.token), 401);
    assert.notEqual(await calls(other.token), 401);
    await one.person.open(`${hallpass.issuer}/account`);
    await one.person.reads(/continue with acme/i);
    await other.person.open(`${hallpass.issuer}/account`);
    await other.person.reads(/signed in as dave@acme\.example/i);
  });

  await t.test('whoever says no there is told so here, and may try again', async () => {
    const person = new Person(await Browser.open(t));
    await person.open(`${hallpass.issuer}/login?then=/account`);
    await person.follow(/^continue with acme$/i);
    await person.follow(/cancel/i);
    await person.reads(/acme did not sign you in/i);
    await person.follow(/^continue with acme$/i);
    await as.logIn(person, 'alice');
    await person.reads(/signed in as alice@acme\.example/i);
  });
});

// Chrome asks the policy of the account page at each redirect that its form leads to.
test('an account is linked at a provider, and unlinked', { timeout: 120_000 }, async (t) => {
  const port = await freePort();
  const as = await provider(t, `http://localhost:${port}`, 'acme');
  const hallpass = await Hallpass.serve(t, [], {
    port,
    config: `
      [server]
      upstream = "http://localhost:9/mcp"
      ${thirdParty('acme', as, await secretFile(t))}
      [authorization_server.sign_in.acme]
      label = "Acme"
    `,
  });
  const person = new Person(await Browser.open(t));
  await person.open(`${hallpass.issuer}/login?then=/account`);
  await person.logIn(ALICE);
  await person.press(/^link$/i);
  await as.logIn(person, 'alice-at-acme');
  await person.reads(/linked just now/i);

  const other = new Person(await Browser.open(t));
  await other.open(`${hallpass.issuer}/login?then=/account`);
  await other.follow(/^continue with acme$/i);
  await as.logIn(other, 'alice-at-acme');
  await other.reads(new RegExp(`signed in as ${ALICE.name}`, 'i'));

  await person.press(/^unlink$/i);
  await person.press(/^unlink$/i);
  await person.reads(/not linked/i);
  await other.open(`${hallpass.issuer}/account`);
  await other.reads(/continue with acme/i);
});

test('two tenants have a provider each', { timeout: 120_000 }, async (t) => {
  const port = await freePort();
  const names = ['acme', 'globex'];
  const at = (name) => `http://localhost:${port}/t/${name}`;
  const all = {};
  for (const name of names) {
    all[name] = {
      as: await provider(t, at(name), name),
      everything: await Everything.start(t),
      issuer: at(name),
      endpoint: `${at(name)}/mcp`,
    };
  }
  const secret = await secretFile(t);
  const tenant = (name) => `
    ${thirdParty(name, all[name].as, secret)}
    [tenants.${name}.server]
    upstream = "${all[name].everything.url}"
    scopes.read = { says = "Read" }
    [tenants.${name}.authorization_server.sign_in.${name}]
    label = "${name}"
    anybody = true
  `;
  const hallpass = await Hallpass.serve(t, [], {
    user: null,
    port,
    config: names.map(tenant).join('\n'),
  });
  const browser = new Person(await Browser.open(t));
  const callback = await Callback.listen(t);

  // One person of the same name at each, in one browser: a login at one tenant is none at the other.
  for (const name of names) {
    const { as, endpoint } = all[name];
    const login = signIn(browser, as, 'alice', new RegExp(`^continue with ${name}$`, 'i'));
    Object.assign(all[name], await connectWithLogin(endpoint, callback, login));
    const { content } = await all[name].client.callTool({ name: 'echo', arguments: { message: name } });
    assert.match(content[0].text, new RegExp(name));
    all[name].token = all[name].application.tokens().access_token;
    all[name].claims = decodeJwt(all[name].token);
    assert.deepEqual([all[name].claims.iss, all[name].claims.aud], [all[name].issuer, endpoint]);
    // `oidc-provider` has signed an ID token for this very login.
    assert.ok(as.has('grant.success'), as.events.join('\n'));
  }
  const { acme, globex } = all;
  assert.notEqual(acme.claims.sub, globex.claims.sub, 'one name, two people');

  for (const [name, other] of [names, [...names].reverse()]) {
    const call = (token) =>
      fetch(all[other].endpoint, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
    assert.equal((await call(all[name].token)).status, 401, `a token of ${name} opens nothing at ${other}`);
    assert.notEqual((await call(all[other].token)).status, 401);
    const users = await hallpass.administer(['user', 'list', '--tenant', name]);
    assert.equal(users.match(/alice/g)?.length, 1, users);
    await all[name].client.close();
  }

  // A logout at one tenant's provider is none at the other's, whoever is called the same there.
  const opens = async ({ endpoint, token }) =>
    (await fetch(endpoint, { method: 'POST', headers: { authorization: `Bearer ${token}` } })).status !== 401;
  // Both providers are at one host here: the browser has the cookie of the last one alone.
  await globex.as.logOut(browser);
  await waitFor(() => globex.as.has('backchannel.success'), { why: () => globex.as.events.join('\n') });
  assert.deepEqual([await opens(acme), await opens(globex)], [true, false]);

  // Each has its own provider, and none of the other's.
  const foreign = await fetch(`${globex.issuer}/providers/acme/callback?state=x&code=y`);
  assert.equal(foreign.status, 404);
});
