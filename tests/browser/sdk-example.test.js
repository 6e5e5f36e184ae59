// Logging in at the example authorization server of the TypeScript SDK: what people copy when they protect a server.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Browser } from '../peers/browser.js';
import { Installation } from '../peers/installation.js';
import { Person } from '../peers/person.js';
import { SdkExample } from '../peers/sdk-example.js';

test("the SDK's example server with its demonstration authorization server", { timeout: 60_000 }, async (t) => {
  const example = await SdkExample.start(t);
  const person = new Person(await Browser.open(t));
  const installation = await Installation.make(t);

  await t.test('a login, which that server grants without a question', async () => {
    const said = await installation.runWithLogin(['login', example.url], async (url) => {
      await person.open(url);
      await person.reads(/you can close this/i);
    });
    assert.match(said, /Logged in to/);
  });

  await t.test('its tools, through connect', async () => {
    const { client, connected } = installation.bridge([example.url]);
    await connected;
    const result = await client.callTool({ name: 'greet', arguments: { name: 'Alice' } });
    assert.equal(result.content[0].text, 'Hello, Alice!');
    await client.close();
  });

  await t.test('a token for a script', async () => {
    const token = (await installation.run(['token', example.url])).trim();
    const answer = await fetch(example.url, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
    assert.notEqual(answer.status, 401);
  });
});
