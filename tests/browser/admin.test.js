// Whoever runs the server: adds a user by a link, and ends what the user has.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { By } from 'selenium-webdriver';

import { Browser } from '../peers/browser.js';
import { Hallpass } from '../peers/hallpass.js';
import { Person } from '../peers/person.js';

const BOB = { name: 'bob', password: 'looms that think in cards' };

test('an administrator adds and disables a user', { timeout: 120_000 }, async (t) => {
  const hallpass = await Hallpass.serve(t, ['--demo'], { user: null });
  const user = { name: await hallpass.printed('User'), password: await hallpass.printed('Password') };
  const admin = new Person(await Browser.open(t));
  const bob = new Person(await Browser.open(t));

  await admin.open(`${hallpass.issuer}/account`);
  await admin.logIn(user);
  await admin.follow(/administration/i);
  await admin.type(/^name/i, BOB.name);
  await admin.press(/^add$/i);
  await admin.reads(/a link for bob/i);
  const link = await admin.driver.findElement(By.css('code')).getText();

  await t.test('the user sets a password by the link', async () => {
    await bob.open(link);
    await bob.type(/new password/i, BOB.password);
    await bob.press(/set password/i);
    await bob.follow(/your account/i);
    await bob.logIn(BOB);
    await bob.reads(/your account/i);
  });

  await t.test('the user does not come to these pages', async () => {
    await bob.open(`${hallpass.issuer}/admin`);
    await bob.reads(/for administrators/i);
  });

  await t.test('every page is there', async () => {
    for (const [page, words] of [
      ['clients', /clients/i],
      ['apps', /connected apps/i],
      ['keys', /ES256/],
    ]) {
      await admin.open(`${hallpass.issuer}/admin/${page}`);
      await admin.reads(words);
    }
  });

  await t.test('a disabled user is outside at once', async () => {
    await admin.open(`${hallpass.issuer}/admin`);
    await admin.press(/^disable$/i);
    await admin.reads(/disable bob\?/i);
    await admin.press(/^disable$/i);
    await admin.reads(/bob\s+disabled/i);
    await bob.open(`${hallpass.issuer}/account`);
    await bob.logIn(BOB);
    assert.match(await bob.reads(/not right/i), /name or password is not right/i);
  });
});
