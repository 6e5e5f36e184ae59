// The pages, as people meet them: without scripts, on a phone, with a wrong password, and when they say no.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { logging } from 'selenium-webdriver';

import { Browser } from '../peers/browser.js';
import { Callback } from '../peers/callback.js';
import { Hallpass } from '../peers/hallpass.js';
import { Person } from '../peers/person.js';
import { Application, newClient } from '../peers/sdk-client.js';

test('the pages work for people', { timeout: 120_000 }, async (t) => {
  const hallpass = await Hallpass.serve(t, ['--demo'], { user: null });
  const user = { name: await hallpass.printed('User'), password: await hallpass.printed('Password') };
  const callback = await Callback.listen(t);

  await t.test('on a phone, without scripts, after a wrong password', async (t) => {
    const browser = await Browser.open(t);
    await browser.screen({ width: 360, height: 740, phone: true });
    await browser.driver.sendDevToolsCommand('Emulation.setScriptExecutionDisabled', { value: true });
    const person = new Person(browser);
    const fits = async () => {
      const { cssContentSize } = await browser.driver.sendAndGetDevToolsCommand('Page.getLayoutMetrics');
      assert.ok(cssContentSize.width <= 360, `a page is ${cssContentSize.width} pixels wide on a phone`);
    };

    await person.open(await authorizationUrl(hallpass, callback));
    await fits();
    await person.logIn({ ...user, password: 'wrong' });
    await person.reads(/wrong|not right|incorrect|does not match|do not match/i);
    await person.logIn(user);
    await person.readConsent();
    await fits();
    await person.consent();
    assert.ok((await callback.response()).get('code'), 'the login went through');
  });

  await t.test('saying no is an answer', async (t) => {
    const person = new Person(await Browser.open(t));
    await person.open(await authorizationUrl(hallpass, callback));
    await person.logIn(user);
    await person.readConsent();
    await person.refuse();
    const response = await callback.response();
    assert.equal(response.get('error'), 'access_denied');
    assert.equal(response.get('iss'), hallpass.issuer);
    assert.equal(response.get('code'), null);
  });

  await t.test('the browser finds nothing to complain about', async (t) => {
    const browser = await Browser.open(t);
    const person = new Person(browser);
    await person.open(await authorizationUrl(hallpass, callback));
    await person.logIn(user);
    await person.consent();
    await callback.response();
    // Such as a style or a form that the page's own content security policy forbids.
    const complaints = await browser.driver.manage().logs().get(logging.Type.BROWSER);
    const own = complaints.filter((entry) => !entry.message.includes('favicon'));
    assert.deepEqual(
      own.map((entry) => entry.message),
      [],
    );
  });

  await t.test('a page says no to a browser that is sent there with somebody else’s redirect URI', async (t) => {
    const browser = await Browser.open(t);
    const person = new Person(browser);
    const url = await authorizationUrl(hallpass, callback);
    url.searchParams.set('redirect_uri', 'http://127.0.0.1:9/elsewhere');
    await person.open(url);
    await person.reads(/what to do/i);
    assert.equal(new URL(await browser.driver.getCurrentUrl()).origin, hallpass.issuer, 'nobody was sent on');
  });
});

/** Where the SDK would send the browser. */
async function authorizationUrl(hallpass, callback) {
  const application = new Application(callback.url);
  const transport = new StreamableHTTPClientTransport(new URL(hallpass.endpoint), { authProvider: application });
  await assert.rejects(newClient().connect(transport), UnauthorizedError);
  return new URL(application.authorizationUrl);
}
