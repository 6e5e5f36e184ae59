// `hallpass connect URL`: a client that speaks stdio and no OAuth, and a protected server.

import assert from 'node:assert/strict';
import { access, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';

import { getDefaultEnvironment, StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

import { Browser } from '../peers/browser.js';
import { converse } from '../peers/conversation.js';
import { Everything } from '../peers/everything.js';
import { ALICE, HALLPASS, Hallpass } from '../peers/hallpass.js';
import { Person } from '../peers/person.js';
import { temporaryFolder, waitFor } from '../peers/process.js';
import { connectDirectly, newClient } from '../peers/sdk-client.js';

test('a stdio client uses a protected server through connect', { timeout: 120_000 }, async (t) => {
  const everything = await Everything.start(t);
  const hallpass = await Hallpass.serve(t, ['--upstream', everything.url]);
  const person = new Person(await Browser.open(t));
  const opener = await NotingOpener.install(t);
  const accounts = await temporaryFolder();
  t.after(accounts.remove);

  const bridge = () => {
    const transport = new StdioClientTransport({
      command: HALLPASS,
      args: ['--data', accounts.folder, 'connect', hallpass.endpoint],
      env: { ...getDefaultEnvironment(), ...opener.environment },
      stderr: 'pipe',
    });
    let said = '';
    transport.stderr.on('data', (text) => (said += text));
    const client = newClient();
    t.after(() => client.close());
    return { client, connected: client.connect(transport), said: () => said };
  };

  await t.test('the browser opens, and after the login every answer is the same as without hallpass', async () => {
    const { client, connected, said } = bridge();
    // A failure shows where it is waited for, below.
    connected.catch(() => {});
    const authorizationUrl = await opener.wasAskedFor(said);
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
    await opener.forget();
    const { client, connected } = bridge();
    await connected;
    assert.deepEqual(await client.ping(), {});
    assert.equal(await opener.wasAsked(), false);
    await client.close();
  });
});

/** Stands where `connect` looks for a browser, and notes the URL that it is to open. */
class NotingOpener {
  static async install(owner) {
    const { folder, remove } = await temporaryFolder();
    owner.after(remove);
    const self = new NotingOpener();
    const script = path.join(folder, 'browser');
    self.note = path.join(folder, 'url');
    await writeFile(script, `#!/bin/sh\nprintf %s "$1" > '${self.note}.part' && mv '${self.note}.part' '${self.note}'\n`, {
      mode: 0o755,
    });
    self.environment = { BROWSER: script };
    return self;
  }

  async wasAsked() {
    return access(this.note).then(
      () => true,
      () => false,
    );
  }

  async wasAskedFor(said) {
    await waitFor(() => this.wasAsked(), {
      patience: 20_000,
      why: () => `connect opened no browser; it said:\n${said()}`,
    });
    return readFile(this.note, 'utf8');
  }

  async forget() {
    await rm(this.note, { force: true });
  }
}
