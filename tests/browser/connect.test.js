// `hallpass connect URL`: a client that speaks stdio and no OAuth, and a protected server.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Browser } from '../peers/browser.js';
import { converse } from '../peers/conversation.js';
import { Everything } from '../peers/everything.js';
import { ALICE, Hallpass } from '../peers/hallpass.js';
import { Installation } from '../peers/installation.js';
import { Person } from '../peers/person.js';
import { connectDirectly } from '../peers/sdk-client.js';

test('a stdio client uses a protected server through connect', { timeout: 120_000 }, async (t) => {
  const everything = await Everything.start(t);
  const hallpass = await Hallpass.serve(t, ['--upstream', everything.url]);
  const person = new Person(await Browser.open(t));
  const installation = await Installation.make(t);

  await t.test('the browser opens, and after the login every answer is the same as without hallpass', async () => {
    const { client, connected, said } = installation.bridge([hallpass.endpoint]);
    // A failure shows where it is waited for, below.
    connected.catch(() => {});
    const authorizationUrl = await installation.opener.wasAskedFor(said);
    await person.open(authorizationUrl);
    await person.logIn(ALICE);
    await person.consent();
    await person.reads(/you can close this/i);
    await connected;

    const direct = await connectDirectly(everything.url);
    t.after(() => direct.close());
    assert.deepEqual(await converse(client), await converse(direct));
    await client.close();
  });

  await t.test('the next start needs no browser', async () => {
    await installation.opener.forget();
    const { client, connected } = installation.bridge([hallpass.endpoint]);
    await connected;
    assert.deepEqual(await client.ping(), {});
    assert.equal(await installation.opener.wasAsked(), false);
    await client.close();
  });
});
