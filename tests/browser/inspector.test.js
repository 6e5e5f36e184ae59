// The MCP Inspector logs in to `hallpass serve --demo` and calls its tools: from the command line, and as a page.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Browser } from '../peers/browser.js';
import { Hallpass } from '../peers/hallpass.js';
import { Inspector } from '../peers/inspector.js';
import { Person } from '../peers/person.js';

test('the MCP Inspector', { timeout: 120_000 }, async (t) => {
  const hallpass = await Hallpass.serve(t, ['--demo'], { user: null });
  const user = { name: await hallpass.printed('User'), password: await hallpass.printed('Password') };
  const person = new Person(await Browser.open(t));

  await t.test('on the command line', async (t) => {
    const inspector = await Inspector.install(t);
    const { structuredContent } = await inspector.callTool(hallpass.endpoint, 'write_note', { text: 'inspected' }, async (url) => {
      await person.open(url);
      await person.logIn(user);
      await person.consent();
    });
    assert.deepEqual(structuredContent, { count: 1 });
  });

  await t.test('as a page', async (t) => {
    const inspector = await Inspector.install(t);
    await person.open(await inspector.serve(hallpass.endpoint));
    await person.turnOn(/connect/i);
    // The browser is logged in by now; the Inspector is another client.
    await person.consent();
    await person.reads(/INITIALIZE/);
    await person.choose(/^tools$/i);
    await person.choose(/^list_notes$/);
    await person.choose(/^execute tool$/i);
    assert.match(await person.reads(/inspected/), /Structured Output/);
  });
});
