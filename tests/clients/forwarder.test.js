// The forwarder stands between the official suite and hallpass, so it must not change what either of them says.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';

import { Forwarder } from '../peers/forwarder.js';
import { waitFor } from '../peers/process.js';

const BODY = '{"jsonrpc":"2.0",  "id":1,"method":"Grüße"}';

/** A server of bytes: `answer` gets the socket once the request has arrived. */
async function serve(t, answer) {
  const heard = { text: '', closed: false };
  const server = createServer((socket) => {
    let answered = false;
    socket.on('error', () => {});
    socket.on('close', () => (heard.closed = true));
    socket.on('data', (bytes) => {
      heard.text += bytes;
      if (!answered && heard.text.includes('Grüße')) {
        answered = true;
        answer(socket);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const forwarder = await Forwarder.start(t, `http://127.0.0.1:${server.address().port}/mcp`, async () => 'the-token');
  return { heard, forwarder, own: new URL(forwarder.url).host, other: `127.0.0.1:${server.address().port}` };
}

/** Says this to the forwarder; what it answers is collected. */
async function say(t, { own, forwarder }, fields) {
  const { hostname, port } = new URL(forwarder.url);
  const socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  const said = { socket, answered: '' };
  socket.on('error', () => {});
  socket.on('data', (bytes) => (said.answered += bytes));
  const lines = [`Host: ${own}`, ...fields, `Content-Length: ${Buffer.byteLength(BODY)}`];
  socket.write(`POST /mcp?a=%2f HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${BODY}`);
  return said;
}

test('the forwarder', { timeout: 60_000 }, async (t) => {
  await t.test('keeps fields and bodies, and adds the token', async (t) => {
    const answer = '{"result": "Grüße" }';
    const lab = await serve(t, (socket) => {
      socket.write(`HTTP/1.1 207 As It Is\r\nX-Two: 2\r\nx-one: 1\r\nX-Two: 3\r\nContent-Length: ${Buffer.byteLength(answer)}\r\n\r\n${answer}`);
    });
    const said = await say(t, lab, ['X-Two: 2', 'x-ONE: 1', 'X-Two: 3', 'Origin: http://evil.example']);
    await waitFor(() => said.answered.endsWith(answer));
    assert.match(said.answered, /^HTTP\/1\.1 207 As It Is\r\nX-Two: 2\r\nx-one: 1\r\nX-Two: 3\r\n/);
    assert.ok(lab.heard.text.startsWith('POST /mcp?a=%2f HTTP/1.1\r\n'), lab.heard.text);
    assert.ok(
      lab.heard.text.includes(`Host: ${lab.other}\r\nX-Two: 2\r\nx-ONE: 1\r\nX-Two: 3\r\nOrigin: http://evil.example\r\n`),
      lab.heard.text,
    );
    assert.ok(lab.heard.text.includes('Authorization: Bearer the-token\r\n'));
    assert.ok(lab.heard.text.endsWith(`\r\n\r\n${BODY}`));
  });

  await t.test('hands each event on at once, and an end as an end', async (t) => {
    let upstream;
    const lab = await serve(t, (socket) => {
      upstream = socket;
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
    });
    const said = await say(t, lab, ['Accept: text/event-stream']);
    // The head is there before any event, and each event before the next.
    await waitFor(() => said.answered.includes('text/event-stream'));
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      upstream.write(`${event.length.toString(16)}\r\n${event}\r\n`);
      await waitFor(() => said.answered.includes(event));
    }
    assert.equal(lab.heard.closed, false);
    said.socket.destroy();
    await waitFor(() => lab.heard.closed, { why: () => 'nobody told the server that its client has gone' });
  });

  await t.test('breaks off what was broken off', async (t) => {
    const lab = await serve(t, (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
      socket.destroySoon();
    });
    const said = await say(t, lab, []);
    await once(said.socket, 'close');
    assert.ok(said.answered.endsWith('half'), said.answered);
  });
});
