// `hallpass serve -- COMMAND`: a stranger's client in front, the reference server behind over stdio.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

import { Browser } from '../peers/browser.js';
import { Callback } from '../peers/callback.js';
import { converse } from '../peers/conversation.js';
import { STDIO } from '../peers/everything.js';
import { ALICE, Hallpass } from '../peers/hallpass.js';
import { Person } from '../peers/person.js';
import { waitFor } from '../peers/process.js';
import { connectWithLogin, newClient } from '../peers/sdk-client.js';

test('the official SDK logs in and uses a server over stdio', { timeout: 120_000 }, async (t) => {
  const hallpass = await Hallpass.serve(t, ['--', ...STDIO]);
  const callback = await Callback.listen(t);
  const person = new Person(await Browser.open(t));

  const refused = await fetch(hallpass.endpoint, { method: 'POST', body: '{}' });
  assert.equal(refused.status, 401);
  assert.equal((await children(hallpass)).length, 0, 'nobody is logged in, so no process has been started');

  const { client, transport } = await connectWithLogin(hallpass.endpoint, callback, async (authorizationUrl) => {
    await person.open(authorizationUrl);
    await person.logIn(ALICE);
    await person.consent();
  });
  t.after(() => client.close());

  await t.test('every answer is the same as without hallpass', async () => {
    const direct = newClient();
    await direct.connect(
      new StdioClientTransport({ command: STDIO[0], args: STDIO.slice(1), stderr: 'ignore' }),
    );
    t.after(() => direct.close());
    assert.deepEqual(await converse(client), await converse(direct));
  });

  await t.test('the process ends with the session', async () => {
    assert.equal((await children(hallpass)).length, 1, 'one process a session');
    await transport.terminateSession();
    await waitFor(async () => (await children(hallpass)).length === 0, {
      why: () => 'the process outlived its session',
    });
  });
});

/** The processes that hallpass has started and that still run. */
async function children(hallpass) {
  const { stdout } = await promisify(execFile)('ps', ['-e', '-o', 'ppid=,pid=,stat=']);
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([parent, , state]) => parent === String(hallpass.program.pid) && !state.startsWith('Z'));
}
