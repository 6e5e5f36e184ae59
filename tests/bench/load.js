// Requests one after the other on a few connections, and how long each took.

import { Agent, request } from 'node:http';

/** A few connections that stay open. */
export function connections(number) {
  return new Agent({ keepAlive: true, maxSockets: number });
}

/** Sends a form, and gives what was answered as JSON; anything but 200 is an error. */
export function post(agent, url, form, headers = {}) {
  return new Promise((resolve, reject) => {
    const body = new URLSearchParams(form).toString();
    const sent = request(
      url,
      {
        agent,
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length, ...headers },
      },
      (answer) => {
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.on('end', () => {
          const text = Buffer.concat(parts).toString();
          if (answer.statusCode === 200) resolve(JSON.parse(text));
          else reject(new Error(`${url} answered ${answer.statusCode}: ${text}`));
        });
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Sends so many requests, so many at a time; gives the milliseconds that each took. */
export async function load(total, atATime, send) {
  const took = new Float64Array(total);
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < total; i = next++) {
      const start = performance.now();
      await send(i);
      took[i] = performance.now() - start;
    }
  };
  await Promise.all(Array.from({ length: atATime }, worker));
  return took;
}

/** The value below which this share of them lies. */
export function percentile(values, share) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

export const median = (values) => percentile(values, 0.5);
