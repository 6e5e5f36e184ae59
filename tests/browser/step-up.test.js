// A login for reading, and a tool that writes: one consent, for what is missing, then it works.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as v2 from '@modelcontextprotocol/client';
import { auth, UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import { Browser } from '../peers/browser.js';
import { Callback } from '../peers/callback.js';
import { Everything } from '../peers/everything.js';
import { ALICE, Hallpass } from '../peers/hallpass.js';
import { Installation } from '../peers/installation.js';
import { Person } from '../peers/person.js';
import { Application, newClient } from '../peers/sdk-client.js';

const READ = 'notes:read';
const WRITE = 'notes:write';
/** The scopes of a token, but for the one that asks for a refresh token. */
const mcpScopes = (tokens) => tokens.scope.split(' ').filter((scope) => scope !== 'offline_access').sort();
const LIST_NOTES = { name: 'list_notes', arguments: {} };

/** The scopes that the page of consent asks for, and those that were allowed before. */
function consent(page) {
  const scopes = (text) => text.match(/notes:\w+/g) ?? [];
  const [asked, before = ''] = page.split(/you have allowed before/i);
  return { asked: scopes(asked), before: scopes(before) };
}

const WRITE_NOTE = { name: 'write_note', arguments: { text: 'buy milk' } };

/** The two lines of the SDK, as far as an application sees them. */
const LINES = {
  // Version 1 answers a 403 by a refresh, and then gives up; so an application that steps up keeps no refresh token.
  'version 1': { auth, UnauthorizedError, StreamableHTTPClientTransport, grants: ['authorization_code'], newClient },
  'version 2': {
    ...v2,
    grants: ['authorization_code', 'refresh_token'],
    newClient: () => new v2.Client({ name: 'stranger', version: '1.0.0' }),
  },
};

test('a login for reading, and a tool that writes', { timeout: 120_000 }, async (t) => {
  const hallpass = await Hallpass.serve(t, ['--demo'], { user: null });
  const user = { name: await hallpass.printed('User'), password: await hallpass.printed('Password') };

  for (const [name, sdk] of Object.entries(LINES)) {
    await t.test(`the client of the official SDK, ${name}`, async (t) => {
      const person = new Person(await Browser.open(t));
      const callback = await Callback.listen(t);
      const application = new Application(callback.url, name, sdk.grants);

      /** What an application does with an authorization URL; gives what the page of consent said. */
      async function answer(before = () => {}) {
        await person.open(application.authorizationUrl);
        await before();
        const page = await person.readConsent();
        await person.consent();
        return { page, response: await callback.response() };
      }

      const asked = { serverUrl: hallpass.endpoint, scope: READ };
      assert.equal(await sdk.auth(application, asked), 'REDIRECT');
      const first = await answer(() => person.logIn(user));
      assert.deepEqual(consent(first.page), { asked: [READ], before: [] });
      const [authorizationCode, iss] = [first.response.get('code'), first.response.get('iss')];
      assert.equal(await sdk.auth(application, { ...asked, authorizationCode, iss }), 'AUTHORIZED');
      assert.deepEqual(mcpScopes(application.tokens()), [READ]);

      const client = sdk.newClient();
      t.after(() => client.close());
      const transport = new sdk.StreamableHTTPClientTransport(new URL(hallpass.endpoint), { authProvider: application });
      await client.connect(transport);
      const call = async (tool) => (await client.callTool(tool)).structuredContent;
      const { notes } = await call(LIST_NOTES);

      await assert.rejects(call(WRITE_NOTE), (thrown) => thrown instanceof sdk.UnauthorizedError);
      const second = await answer();
      assert.deepEqual(consent(second.page), { asked: [WRITE], before: [READ] });
      await transport.finishAuth(name === 'version 1' ? second.response.get('code') : second.response);
      assert.deepEqual(await call(WRITE_NOTE), { count: notes.length + 1 });
      assert.deepEqual(mcpScopes(application.tokens()), [READ, WRITE]);
      assert.equal((await call(LIST_NOTES)).notes.length, notes.length + 1);
    });
  }
});

test('the same through hallpass connect', { timeout: 120_000 }, async (t) => {
  const everything = await Everything.start(t);
  const hallpass = await Hallpass.serve(t, [], {
    config: `
      [server]
      upstream = "${everything.url}"
      [server.scopes]
      default = ["${READ}"]
      "${READ}" = { says = "Read" }
      "${WRITE}" = { says = "Write" }
      [server.tools]
      echo = { scopes = ["${WRITE}"] }
    `,
  });
  const person = new Person(await Browser.open(t));
  const installation = await Installation.make(t);
  await installation.runWithLogin(['login', hallpass.endpoint], async (url) => {
    await person.open(url);
    await person.logIn(ALICE);
    assert.deepEqual(consent(await person.readConsent()), { asked: [READ], before: [] });
    await person.consent();
    await person.reads(/you can close this/i);
  });

  await installation.opener.forget();
  const { client, connected, said } = installation.bridge([hallpass.endpoint]);
  await connected;
  await client.listTools();
  assert.equal(await installation.opener.wasAsked(), false, 'reading needs no second login');

  // The very call waits for the person, and is answered.
  const call = client.callTool({ name: 'echo', arguments: { message: 'hello' } });
  await person.open(await installation.opener.wasAskedFor(said));
  assert.deepEqual(consent(await person.readConsent()), { asked: [WRITE], before: [READ] });
  await person.consent();
  const { content } = await call;
  assert.match(content[0].text, /hello/);

  await installation.opener.forget();
  await client.callTool({ name: 'echo', arguments: { message: 'again' } });
  await client.listTools();
  assert.equal(await installation.opener.wasAsked(), false, 'one consent');
});
