// The first start: there is no user, and no default password either.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Browser } from '../peers/browser.js';
import { Callback } from '../peers/callback.js';
import { Everything } from '../peers/everything.js';
import { Hallpass } from '../peers/hallpass.js';
import { Person } from '../peers/person.js';
import { connectWithLogin } from '../peers/sdk-client.js';

const ADA = { name: 'ada', password: 'analytical engines weave' };

test('the set-up link makes the first user, once', { timeout: 120_000 }, async (t) => {
  const everything = await Everything.start(t);
  const hallpass = await Hallpass.serve(t, ['--upstream', everything.url], { user: null });
  const callback = await Callback.listen(t);
  const person = new Person(await Browser.open(t));

  const [link] = await hallpass.program.prints(/https?:\/\/\S+\/setup\S*/);
  await person.open(link);
  await person.setUp(ADA);
  await person.reads(/account is ready/i);

  await t.test('the link does not work again', async () => {
    const again = await fetch(link);
    assert.ok(again.status >= 400, `the used link answered ${again.status}`);
    assert.doesNotMatch(await again.text(), /type="password"/);
  });

  await t.test('the new user can log in', async (t) => {
    const { client } = await connectWithLogin(hallpass.endpoint, callback, async (authorizationUrl) => {
      await person.open(authorizationUrl);
      await person.logIn(ADA);
      await person.consent();
    });
    t.after(() => client.close());
    const sum = await client.callTool({ name: 'get-sum', arguments: { a: 1, b: 2 } });
    assert.match(sum.content[0].text, /3/);
  });
});
