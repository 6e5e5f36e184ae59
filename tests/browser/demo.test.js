// `hallpass serve --demo`: what a newcomer types first.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Browser } from '../peers/browser.js';
import { Callback } from '../peers/callback.js';
import { Hallpass } from '../peers/hallpass.js';
import { Person } from '../peers/person.js';
import { connectWithLogin } from '../peers/sdk-client.js';

test('the demo tells how to log in, and its tools work', { timeout: 120_000 }, async (t) => {
  const hallpass = await Hallpass.serve(t, ['--demo'], { user: null });
  const user = { name: await hallpass.printed('User'), password: await hallpass.printed('Password') };
  const callback = await Callback.listen(t);
  const person = new Person(await Browser.open(t));

  let consent;
  const { client, application } = await connectWithLogin(hallpass.endpoint, callback, async (authorizationUrl) => {
    await person.open(authorizationUrl);
    await person.logIn(user);
    consent = await person.readConsent();
    await person.consent();
  });
  t.after(() => client.close());
  const call = async (name, args = {}) => (await client.callTool({ name, arguments: args })).structuredContent;

  await t.test('the scopes are asked for and granted', () => {
    for (const scope of ['notes:read', 'notes:write']) {
      assert.ok(consent.includes(scope), `${scope} is missing in:\n${consent}`);
    }
    assert.deepEqual(application.tokens().scope.split(' ').sort(), ['notes:read', 'notes:write']);
  });

  await t.test('the sample server knows who is calling', async () => {
    const caller = await call('whoami');
    assert.ok(caller.subject, 'a subject');
    assert.equal(caller.client, application.clientInformation().client_id);
    assert.deepEqual(caller.scope.split(' ').sort(), ['notes:read', 'notes:write']);
  });

  await t.test('notes are written and read', async () => {
    assert.deepEqual(await call('list_notes'), { notes: [] });
    assert.deepEqual(await call('write_note', { text: 'buy milk' }), { count: 1 });
    assert.deepEqual(await call('list_notes'), { notes: ['buy milk'] });
  });
});
