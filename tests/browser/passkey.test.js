// Passkeys, with Chromium's own authenticator: registered on the account page, then the only thing that is needed.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { logging } from 'selenium-webdriver';
import { Protocol, Transport, VirtualAuthenticatorOptions } from 'selenium-webdriver/lib/virtual_authenticator.js';

import { Browser } from '../peers/browser.js';
import { Callback } from '../peers/callback.js';
import { Hallpass } from '../peers/hallpass.js';
import { Person } from '../peers/person.js';
import { connectWithLogin } from '../peers/sdk-client.js';

test('a passkey signs in without name and password', { timeout: 120_000 }, async (t) => {
  const hallpass = await Hallpass.serve(t, ['--demo'], { user: null });
  const user = { name: await hallpass.printed('User'), password: await hallpass.printed('Password') };
  const callback = await Callback.listen(t);
  const browser = await Browser.open(t);
  const person = new Person(browser);
  const authenticator = new VirtualAuthenticatorOptions();
  authenticator.setProtocol(Protocol.CTAP2);
  authenticator.setTransport(Transport.INTERNAL);
  authenticator.setHasResidentKey(true);
  authenticator.setHasUserVerification(true);
  authenticator.setIsUserVerified(true);
  await browser.driver.addVirtualAuthenticator(authenticator);

  await person.open(`${hallpass.issuer}/account`);
  await person.logIn(user);
  await person.follow(/add a passkey/i);
  await person.press(/add this passkey/i);
  const account = await person.reads(/passkey: /i);
  assert.match(account, /not used yet/i);
  assert.equal((await browser.driver.getCredentials()).length, 1);
  await person.press(/^sign out$/i);
  await person.reads(/sign in with a passkey/i);

  await t.test('the official client logs in with it', async (t) => {
    const { client } = await connectWithLogin(hallpass.endpoint, callback, async (authorizationUrl) => {
      await person.open(authorizationUrl);
      await person.press(/with a passkey/i);
      const consent = await person.readConsent();
      assert.match(consent, new RegExp(`Signed in as ${user.name}`));
      await person.consent();
    });
    t.after(() => client.close());
    assert.ok((await client.callTool({ name: 'whoami', arguments: {} })).structuredContent.subject);
  });

  await t.test('who is not verified stays outside', async () => {
    await person.open(`${hallpass.issuer}/account`);
    await person.press(/^sign out$/i);
    await browser.driver.setUserVerified(false);
    await person.press(/with a passkey/i);
    await person.reads(/no passkey was used/i);
    await browser.driver.setUserVerified(true);
    await person.press(/with a passkey/i);
    await person.reads(/your account/i);
  });

  await t.test('a passkey that was removed opens nothing', async () => {
    await person.press(/^remove$/i);
    await person.reads(/remove the passkey/i);
    await person.press(/^remove$/i);
    await person.press(/^sign out$/i);
    await person.press(/with a passkey/i);
    await person.reads(/opens nothing here/i);
  });

  await t.test('no script was kept from running', async () => {
    const complaints = await browser.driver.manage().logs().get(logging.Type.BROWSER);
    const policy = complaints.filter((entry) => /content security policy/i.test(entry.message));
    assert.deepEqual(policy.map((entry) => entry.message), []);
  });
});
