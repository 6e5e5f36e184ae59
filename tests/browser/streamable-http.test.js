// `hallpass serve --upstream URL`: a stranger's client in front, the reference server behind.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Browser } from '../peers/browser.js';
import { Callback } from '../peers/callback.js';
import { converse } from '../peers/conversation.js';
import { Everything } from '../peers/everything.js';
import { ALICE, Hallpass } from '../peers/hallpass.js';
import { Person } from '../peers/person.js';
import { connectDirectly, connectWithLogin } from '../peers/sdk-client.js';

test('the official SDK logs in and uses a server over streamable HTTP', { timeout: 120_000 }, async (t) => {
  const everything = await Everything.start(t);
  const hallpass = await Hallpass.serve(t, ['--upstream', everything.url]);
  const callback = await Callback.listen(t);
  const person = new Person(await Browser.open(t));

  await t.test('without a token there is a challenge that says where to go', async () => {
    const refused = await fetch(hallpass.endpoint, { method: 'POST', body: '{}' });
    assert.equal(refused.status, 401);
    const challenge = refused.headers.get('www-authenticate');
    assert.match(challenge, /^Bearer /);
    const [, metadata] = /resource_metadata="([^"]+)"/.exec(challenge);
    const resource = await (await fetch(metadata)).json();
    assert.equal(resource.resource, hallpass.endpoint);
    assert.deepEqual(resource.authorization_servers, [hallpass.issuer]);
  });

  let consent;
  const { client, application, transport, response } = await connectWithLogin(
    hallpass.endpoint,
    callback,
    async (authorizationUrl) => {
      await person.open(authorizationUrl);
      await person.logIn(ALICE);
      consent = await person.readConsent();
      await person.consent();
    },
  );
  t.after(() => client.close());

  await t.test('the page of consent names client, redirect host and server', () => {
    for (const name of ['Stranger', '127.0.0.1', hallpass.endpoint]) {
      assert.ok(consent.includes(name), `${name} is missing in:\n${consent}`);
    }
  });

  await t.test('the answer names the issuer, and the token is a bearer token', () => {
    assert.equal(response.get('iss'), hallpass.issuer);
    assert.equal(application.tokens().token_type.toLowerCase(), 'bearer');
    assert.ok(application.tokens().refresh_token, 'the SDK asked for refresh tokens');
  });

  await t.test('every answer is the same as without hallpass', async () => {
    const direct = await connectDirectly(everything.url);
    t.after(() => direct.close());
    assert.deepEqual(await converse(client), await converse(direct));
  });

  await t.test('a refreshed token works as well', async () => {
    const before = application.tokens();
    // An access token that is refused makes the SDK use its refresh token.
    application.saveTokens({ ...before, access_token: `${before.access_token}x` });
    assert.deepEqual(await client.ping(), {});
    const after = application.tokens();
    assert.notEqual(after.access_token, before.access_token);
    assert.notEqual(after.refresh_token, before.refresh_token, 'refresh tokens rotate');
  });

  await t.test('the session ends at the server when the client says so', async () => {
    await transport.terminateSession();
    assert.equal(transport.sessionId, undefined);
  });
});
