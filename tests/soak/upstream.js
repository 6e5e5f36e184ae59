// What stands behind hallpass in the soak: it says back what it was told, over plain JSON or over a stream that goes on.
// It is a program of its own, so that it can be killed.

import { createServer } from 'node:http';

const server = createServer((request, response) => {
  if (request.method === 'GET') return stream(request, response, {});
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => {
    const { id, method, params = {} } = JSON.parse(Buffer.concat(pieces));
    const name = params.name ?? method;
    // The canary of the caller, and who hallpass says that the caller is: neither may be another's.
    const result = { canary: params.arguments?.canary, caller: request.headers['x-hallpass-subject'], name };
    if (name === 'stream') return stream(request, response, { id, result, events: params.arguments.events });
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  });
  request.on('error', () => response.destroy());
});

/** An event every 20 ms, numbered; then the answer, where there is one. */
function stream(request, response, { id, result, events = Infinity }) {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
  let number = 0;
  const tick = setInterval(() => {
    if (number < events) {
      const params = { level: 'info', data: { number: number++, canary: result?.canary } };
      response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params })}\n\n`);
      return;
    }
    clearInterval(tick);
    response.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id, result })}\n\n`);
  }, 20);
  response.on('close', () => clearInterval(tick));
}

server.requestTimeout = 0;
server.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('listening'));
