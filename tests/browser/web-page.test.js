// A page of another origin is an MCP client: preflight, 401, metadata, registration, login, token and a call, all by what
// a browser lets a page do.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { test } from 'node:test';

import { Browser } from '../peers/browser.js';
import { Hallpass } from '../peers/hallpass.js';
import { Person } from '../peers/person.js';

const PAGE = path.resolve(import.meta.dirname, '../peers/page.html');

/** A page that a name of the internet leads to, which resolves to this machine. */
const STRANGER = 'stranger.example';
/** A page that the operator has listed. */
const LISTED = 'https://app.example';

/** Serves the page under a name of its own. The owner ends it. */
async function publish(owner, host) {
  const page = await readFile(PAGE);
  const server = createServer((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end(page));
  server.listen(0, '127.0.0.1');
  owner.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return `http://${host}:${server.address().port}`;
}

test('a page of another origin', { timeout: 90_000 }, async (t) => {
  const [neighbour, stranger] = [await publish(t, 'localhost'), await publish(t, STRANGER)];
  const hallpass = await Hallpass.serve(t, ['--demo'], { user: null, config: `server.allowed_origins = ["${LISTED}"]` });
  const user = { name: await hallpass.printed('User'), password: await hallpass.printed('Password') };
  const person = new Person(await Browser.open(t, { hosts: [STRANGER] }));
  const open = (origin) => person.open(`${origin}/app#${new URLSearchParams({ endpoint: hallpass.endpoint })}`);

  await t.test('on another port of this machine logs in and calls a tool', async () => {
    await open(neighbour);
    await person.press(/connect/i);
    await person.logIn(user);
    assert.match(await person.readConsent(), /Web page/);
    await person.consent();
    const log = await person.reads(/called: |failed: /);
    assert.match(log, /token: 200/);
    assert.match(log, /session: read/);
    assert.match(log, /called: \{"count":1\}/);
  });

  await t.test('that is not listed gets no answer that it could read', async () => {
    await open(stranger);
    await person.press(/connect/i);
    assert.match(await person.reads(/refused: |failed: /), /failed: Failed to fetch/);
  });

  await t.test('is answered by its preflight, without a token', async () => {
    const asked = (origin) => fetch(hallpass.endpoint, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type,mcp-protocol-version' },
    });
    for (const origin of [LISTED, neighbour]) {
      const answer = await asked(origin);
      assert.ok(answer.ok, `${origin}: ${answer.status}`);
      assert.ok([origin, '*'].includes(answer.headers.get('access-control-allow-origin')), origin);
    }
    for (const origin of [stranger, 'null', `${LISTED}.evil.example`]) {
      const answer = await asked(origin);
      assert.equal(answer.status, 403, origin);
      assert.equal(answer.headers.get('access-control-allow-origin'), null, origin);
    }
  });
});
