// A walk through every page that people meet, as WCAG 2.2 has it: names, headings, contrast in the light and in the dark, a
// phone of 320 pixels, the keyboard. WALK=FOLDER keeps a picture of each page.

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';

import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { By, Key } from 'selenium-webdriver';

import { AuthenticatorApp } from '../peers/authenticator-app.js';
import { Browser } from '../peers/browser.js';
import { Callback } from '../peers/callback.js';
import { Hallpass } from '../peers/hallpass.js';
import { Person } from '../peers/person.js';
import { Application, newClient } from '../peers/sdk-client.js';
import { soundPage } from '../peers/sound-page.js';

const ADA = { name: 'ada', password: 'analytical engines weave' };
const BOB = { name: 'bob', password: 'looms that think in cards' };

test('every page is sound', { timeout: 240_000 }, async (t) => {
  const hallpass = await Hallpass.serve(t, ['--demo'], { user: null });
  const user = { name: await hallpass.printed('User'), password: await hallpass.printed('Password') };
  const callback = await Callback.listen(t);
  const browser = await Browser.open(t);
  const person = new Person(browser);
  const at = (place) => person.open(`${hallpass.issuer}${place}`);
  const look = async (page) => {
    await keep(browser, page);
    await soundPage(browser, page);
  };

  await t.test('before anybody has signed in', async () => {
    for (const [place, words, page] of [
      ['/', /for apps and not for browsers/i, 'front'],
      ['/nowhere', /there is nothing here/i, 'nowhere'],
      ['/mcp/', /without a slash/i, 'slash'],
      ['/token', /not for browsers/i, 'wrong-method'],
      ['/setup?token=x', /has done its work/i, 'setup-used'],
      ['/link?token=x', /does not work any more/i, 'link-dead'],
      ['/authorize?client_id=x', /is not right/i, 'unknown-client'],
      ['/consent?interaction=x', /is not open here/i, 'lost'],
      ['/login', /^[^]*sign in/i, 'login'],
    ]) {
      await at(place);
      await person.reads(words);
      await look(page);
    }
    await person.logIn({ ...user, password: 'wrong' });
    await person.reads(/not right/i);
    await look('login-wrong');
  });

  await t.test('an app is let in', async () => {
    await person.open(await authorizationUrl(hallpass, callback));
    await person.reads(/wants to use/i);
    await look('login-for-app');
    await person.logIn(user);
    assert.match(await person.readConsent(), /stays connected for 180 days/i);
    await look('consent');
    await person.consent();
    await callback.response();
  });

  await t.test('the account', async () => {
    await at('/account');
    await person.reads(/your account/i);
    await look('account');
    await at('/account/password');
    await look('password');
    await at('/account/passkeys');
    await look('passkeys');
    await at('/account/second-factor');
    const [, key] = (await person.reads(/type this key into the app/i)).match(/into the app: ([A-Z2-7 ]+)/);
    await look('second-factor');
    await person.type(/code from the app/i, new AuthenticatorApp(key).code());
    await person.press(/turn on/i);
    await person.reads(/recovery codes/i);
    await look('recovery-codes');
    await at('/account');
    await look('account-with-codes');
    await person.press(/^turn off$/i);
    await person.reads(/turn one-time codes off\?/i);
    await look('turn-off');
    await person.press(/^turn off$/i);
    await person.reads(/your account/i);
    await at('/device');
    await look('device');
    await person.type(/code/i, 'ABCD-EFGH');
    await person.press(/continue/i);
    await person.reads(/no device waits/i);
    await look('device-wrong');
  });

  await t.test('administration, by keyboard', async () => {
    await at('/admin');
    await person.type(/^name/i, BOB.name);
    await person.press(/^add$/i);
    await person.reads(/a link for bob/i);
    await look('link-made');
    const link = await browser.driver.findElement(By.css('code')).getText();
    await at('/admin');
    await look('admin-users');
    await pressByKeyboard(browser, 'Disable bob');
    await person.reads(/disable bob\?/i);
    await look('disable');
    await pressByKeyboard(browser, 'Cancel');
    await person.reads(/add a user/i);
    assert.doesNotMatch(await person.reads(/bob/), /disabled/i);
    for (const page of ['clients', 'apps', 'keys', 'audit']) {
      await at(`/admin/${page}`);
      await look(`admin-${page}`);
    }
    await person.open(link);
    await look('link');
    await person.type(/new password/i, BOB.password);
    await person.press(/set password/i);
    await person.reads(/your password is set/i);
    await look('link-done');
  });

  await t.test('the first account', async (t) => {
    const hallpass = await Hallpass.serve(t, ['--upstream', 'http://127.0.0.1:1/mcp'], { user: null });
    const [link] = await hallpass.program.prints(/http\S+\/setup\?token=\S+/);
    await at('/account');
    await person.open(link);
    await look('setup');
    await person.setUp(ADA);
    await person.reads(/your account is ready/i);
    await look('setup-done');
    await person.open(`${hallpass.issuer}/nothing/here`);
    await look('nowhere-else');
  });
});

/** Tabs to what has this name, sees that it is marked, and presses Enter. */
async function pressByKeyboard(browser, name) {
  await browser.driver.executeScript('document.activeElement?.blur(); window.scrollTo(0, 0)');
  for (let tabs = 0; tabs < 60; tabs += 1) {
    await browser.driver.actions().sendKeys(Key.TAB).perform();
    const [found, outline] = await browser.driver.executeScript(`
      const one = document.activeElement;
      return [(one.getAttribute('aria-label') ?? one.textContent).trim(), getComputedStyle(one).outlineStyle];`);
    assert.notEqual(outline, 'none', `${found} is not marked`);
    if (found !== name) continue;
    await browser.driver.actions().sendKeys(Key.ENTER).perform();
    return;
  }
  assert.fail(`${name} is not reached by keyboard`);
}

async function keep(browser, page) {
  const folder = process.env.WALK;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  const screens = { 'desktop-light': [{ width: 960, height: 760 }, 'light'], 'phone-dark': [{ width: 360, height: 740, phone: true }, 'dark'] };
  for (const [name, [size, colours]] of Object.entries(screens)) {
    await browser.screen(size);
    await browser.colours(colours);
    const { cssContentSize } = await browser.driver.sendAndGetDevToolsCommand('Page.getLayoutMetrics');
    await browser.screen({ ...size, height: Math.max(size.height, cssContentSize.height) });
    await writeFile(path.join(folder, `${page}-${name}.png`), await browser.driver.takeScreenshot(), 'base64');
  }
}

/** Where the SDK would send the browser. */
async function authorizationUrl(hallpass, callback) {
  const application = new Application(callback.url, 'Example Client');
  const transport = new StreamableHTTPClientTransport(new URL(hallpass.endpoint), { authProvider: application });
  await assert.rejects(newClient().connect(transport), UnauthorizedError);
  return new URL(application.authorizationUrl);
}
