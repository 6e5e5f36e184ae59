// One-time codes: turned on with an authenticator app, asked for after the password, replaced by a recovery code.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { By } from 'selenium-webdriver';

import { AuthenticatorApp } from '../peers/authenticator-app.js';
import { Browser } from '../peers/browser.js';
import { Callback } from '../peers/callback.js';
import { Hallpass } from '../peers/hallpass.js';
import { Person } from '../peers/person.js';
import { connectWithLogin } from '../peers/sdk-client.js';

test('a password asks for a one-time code', { timeout: 120_000 }, async (t) => {
  const hallpass = await Hallpass.serve(t, ['--demo'], { user: null });
  const user = { name: await hallpass.printed('User'), password: await hallpass.printed('Password') };
  const callback = await Callback.listen(t);
  const person = new Person(await Browser.open(t));

  await person.open(`${hallpass.issuer}/account`);
  await person.logIn(user);
  await person.follow(/turn on/i);
  const [, key] = (await person.reads(/type this key into the app/i)).match(/into the app: ([A-Z2-7 ]+)/);
  const app = new AuthenticatorApp(key);
  await person.type(/code from the app/i, app.code());
  await person.press(/turn on/i);
  await person.reads(/recovery codes/i);
  const codes = await Promise.all((await person.driver.findElements(By.css('.codes code'))).map((one) => one.getText()));
  assert.equal(codes.length, 10);

  const logInWith = async (t, code) => {
    const person = new Person(await Browser.open(t));
    const { client } = await connectWithLogin(hallpass.endpoint, callback, async (authorizationUrl) => {
      await person.open(authorizationUrl);
      await person.logIn(user);
      await person.reads(/one-time code/i);
      const half = await fetch(`${hallpass.issuer}/account`, { redirect: 'manual' });
      assert.equal(half.status, 303);
      await person.type(/^code/i, '000000');
      await person.press(/continue/i);
      await person.reads(/not right, or was used before/i);
      await person.type(/^code/i, code);
      await person.press(/continue/i);
      await person.readConsent();
      await person.consent();
    });
    t.after(() => client.close());
    assert.ok((await client.callTool({ name: 'whoami', arguments: {} })).structuredContent.subject);
  };

  // The code of now was used to turn it on; a clock may be half a minute ahead.
  await t.test('with a code from the app', (t) => logInWith(t, app.code(1)));
  await t.test('with a recovery code', (t) => logInWith(t, codes[3]));
});
