// Bodies of 10 GB, with a length and without: they are refused, and nobody keeps them.

import { once } from 'node:events';
import { connect } from 'node:net';

import { held } from './measure.js';

const SIZE = 10 * 1024 ** 3;
const PIECE = Buffer.alloc(1024 * 1024, 'x');

/** Sends both; gives for each the status, how much was taken, and the most memory that was held meanwhile. */
export async function endlessBodies(house, pid) {
  const { token } = await house.tokens.good();
  return {
    'with a length': await send(house, token, pid, `content-length: ${SIZE}`, (piece) => [piece]),
    chunked: await send(house, token, pid, 'transfer-encoding: chunked', (piece) => [
      `${piece.length.toString(16)}\r\n`,
      piece,
      '\r\n',
    ]),
  };
}

async function send(house, token, pid, framing, framed) {
  const { host, hostname, port } = new URL(house.endpoint);
  const socket = connect(Number(port), hostname);
  let answered = '';
  let open = true;
  socket.on('error', () => {});
  socket.on('close', () => (open = false));
  socket.setEncoding('latin1').on('data', (text) => (answered += text));
  await once(socket, 'connect');
  socket.write(
    `POST /mcp HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\n${framing}\r\n\r\n`,
  );
  let [sent, memory] = [0, 0];
  const late = Date.now() + 120_000;
  while (open && sent < SIZE && Date.now() < late) {
    let room = true;
    for (const part of framed(PIECE)) room = socket.write(part);
    sent += PIECE.length;
    // Whoever takes nothing more and says nothing would wait for ever.
    if (!room) await Promise.race([once(socket, 'drain').catch(() => {}), once(socket, 'close'), wait(1_000)]);
    if (sent % (64 * PIECE.length) === 0) memory = Math.max(memory, (await held(pid)).memory);
    if (answered && !room) break;
  }
  memory = Math.max(memory, (await held(pid)).memory);
  await wait(200);
  socket.destroy();
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(answered)?.[1] ?? 0), taken: sent, memory };
}

const wait = (time) => new Promise((resolve) => setTimeout(resolve, time));
