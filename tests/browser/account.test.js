// What people see of their apps: what is new at consent, the list of connected apps, and the end of one.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Browser } from '../peers/browser.js';
import { Callback } from '../peers/callback.js';
import { Hallpass } from '../peers/hallpass.js';
import { Person } from '../peers/person.js';
import { connectWithLogin } from '../peers/sdk-client.js';

test('a person looks after connected apps', { timeout: 120_000 }, async (t) => {
  const hallpass = await Hallpass.serve(t, ['--demo'], { user: null });
  const user = { name: await hallpass.printed('User'), password: await hallpass.printed('Password') };
  const callback = await Callback.listen(t);
  const person = new Person(await Browser.open(t));

  let url;
  const { client, application } = await connectWithLogin(hallpass.endpoint, callback, async (authorizationUrl) => {
    url = new URL(authorizationUrl);
    // The first time it asks for less.
    const less = new URL(url);
    less.searchParams.set('scope', 'notes:read');
    await person.open(less);
    await person.logIn(user);
    const first = await person.readConsent();
    assert.doesNotMatch(first, /new: it may also/i);
    assert.doesNotMatch(first, /notes:write/);
    await person.consent();
    await callback.response();
    await person.open(url);
    const stepUp = await person.readConsent();
    assert.match(stepUp, /new: it may also[^]*notes:write[^]*you have allowed before[^]*notes:read/i);
    await person.consent();
  });
  t.after(() => client.close());
  await client.callTool({ name: 'whoami', arguments: {} });

  await t.test('the app is listed with what it may do', async () => {
    await person.open(`${hallpass.issuer}/account`);
    const account = await person.reads(/connected apps/i);
    assert.match(account, /Stranger/);
    assert.match(account, /Connected (just now|\d+ minutes? ago), in Chrome on Linux/);
  });

  await t.test('disconnected, it is out at once, and cannot renew', async () => {
    await person.press(/^disconnect$/i);
    await person.reads(/disconnect stranger\?/i);
    await person.press(/^disconnect$/i);
    await person.reads(/no app is connected/i);
    const response = await fetch(hallpass.endpoint, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${application.tokens().access_token}`,
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    });
    assert.equal(response.status, 401);
    const renewal = await fetch(`${hallpass.issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: application.tokens().refresh_token,
        client_id: application.clientInformation().client_id,
      }),
    });
    assert.equal((await renewal.json()).error, 'invalid_grant');
  });

  await t.test('the password is changed, and other browsers are signed out', async (t) => {
    const other = new Person(await Browser.open(t));
    await other.open(`${hallpass.issuer}/account`);
    await other.logIn(user);
    await other.reads(/your account/i);
    await person.open(`${hallpass.issuer}/account/password`);
    await person.type(/new password/i, 'analytical engines weave');
    await person.press(/change password/i);
    await person.reads(/your account/i);
    await other.open(`${hallpass.issuer}/account`);
    await other.logIn({ ...user, password: 'analytical engines weave' });
    await other.reads(/your account/i);
  });
});
