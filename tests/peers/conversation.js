// A conversation that touches every way in which MCP messages travel, written down so that two can be compared.

import { LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js';

import { waitFor } from './process.js';

/** Talks to server-everything and gives all that it answered. */
export async function converse(client) {
  const progress = [];
  await serverAsksForRoots(client);
  const call = (name, args, options) => client.callTool({ name, arguments: args }, undefined, options);
  return {
    server: client.getServerVersion(),
    capabilities: client.getServerCapabilities(),
    instructions: client.getInstructions(),
    tools: await client.listTools(),
    prompts: await client.listPrompts(),
    resourceTemplates: await client.listResourceTemplates(),
    // A plain answer, with text that has to come through byte by byte.
    echo: await call('echo', { message: 'Grüße, 世界 \u{1F511}\n"quoted" \\ \u0000' }),
    sum: await call('get-sum', { a: 20, b: 22 }),
    structured: await call('get-structured-content', { location: 'New York' }),
    image: await call('get-tiny-image', {}),
    // Messages of the server before the answer: they need an unbuffered stream.
    steps: await call(
      'trigger-long-running-operation',
      { duration: 0.4, steps: 4 },
      { onprogress: (step) => progress.push(step) },
    ),
    // The SDK drops a step that arrives together with the answer; which one does is a matter of timing.
    progress: progress.filter((step) => step.progress < step.total),
    roots: await call('get-roots-list', {}),
    // A request of the server in the middle of the client's, and its answer on another connection.
    sampling: await call('trigger-sampling-request', { prompt: 'hello', maxTokens: 10 }),
    elicitation: await call('trigger-elicitation-request', {}),
    // An error is an answer too.
    refusal: await call('echo', {}),
    unknown: await call('no-such-tool', {}).catch((error) => ({ code: error.code, message: error.message })),
    ping: await client.ping(),
  };
}

/**
 * Lets the server ask for the client's roots, and waits until it says that it has them. Question and notification come
 * by themselves, not as part of an answer: over HTTP they need the stream that a client opens with GET.
 */
async function serverAsksForRoots(client) {
  let heard = false;
  client.setNotificationHandler(LoggingMessageNotificationSchema, (message) => {
    heard ||= /Roots updated: 1 root/.test(String(message.params.data));
  });
  // The server asks once, and the question is lost if the stream is not open yet; a change makes it ask again.
  const again = setInterval(() => client.sendRootsListChanged().catch(() => {}), 500);
  try {
    await waitFor(() => heard, { patience: 20_000, why: () => 'the server was not told the roots' });
  } finally {
    clearInterval(again);
  }
}
