// Clients that people use, with the same few words for each.

import { readFileSync } from 'node:fs';
import path from 'node:path';

import * as v2 from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';
import { auth as authV1 } from '@modelcontextprotocol/sdk/client/auth.js';
import { getDefaultEnvironment, StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import { CALLBACK } from '../peers/authorization-server.js';
import { ALICE, HALLPASS } from '../peers/hallpass.js';
import { Application, newClient } from '../peers/sdk-client.js';
import { TextBrowser } from '../peers/text-browser.js';

function version(name) {
  const file = path.resolve(import.meta.dirname, '../node_modules', name, 'package.json');
  return JSON.parse(readFileSync(file, 'utf8')).version;
}

/** The two lines of the official SDK. */
const V1 = {
  name: `SDK ${version('@modelcontextprotocol/sdk')}`,
  auth: authV1,
  Http: HttpV1,
  Stdio: StdioV1,
  callTool: (client, call, onprogress) => client.callTool(call, undefined, { onprogress }),
};
const V2 = {
  name: `SDK ${version('@modelcontextprotocol/client')}`,
  auth: v2.auth,
  Http: v2.StreamableHTTPClientTransport,
  Stdio: StdioV2,
  callTool: (client, call, onprogress) => client.callTool(call, { onprogress }),
};

const newV2 = (options) => () => new v2.Client({ name: 'stranger', version: '1.0.0' }, options);
/** Asks the server what it speaks, and takes the newest. */
const AUTO = newV2({ versionNegotiation: { mode: 'auto' } });
/** Knows no newer revision. */
export const UP_TO = (revision) => newV2({ supportedProtocolVersions: [revision] });

/** What is in the head of the table. */
export const CLIENTS = [
  { sdk: V1, asks: '2025-11-25', make: newClient },
  { sdk: V2, asks: '2026-07-28', make: AUTO },
  { sdk: V2, asks: '2025-11-25', make: UP_TO('2025-11-25') },
  { sdk: V2, asks: '2025-06-18', make: UP_TO('2025-06-18') },
  { sdk: V2, asks: '2025-03-26', make: UP_TO('2025-03-26') },
  { sdk: V1, asks: '2025-11-25', make: newClient, through: 'hallpass connect' },
  { sdk: V2, asks: '2026-07-28', make: AUTO, through: 'hallpass connect' },
].map((client) => ({ ...client, name: [client.sdk.name, client.through].filter(Boolean).join(' and ') }));

/** Logs in as an application on one line of the SDK does, with a person who allows it. */
export async function logIn(sdk, endpoint) {
  const application = new Application(CALLBACK, sdk.name);
  const at = { serverUrl: endpoint };
  if ((await sdk.auth(application, at)) !== 'REDIRECT') throw new Error(`${endpoint} wants no login`);
  const answer = (await new TextBrowser().allow(application.authorizationUrl, ALICE)).searchParams;
  if (answer.get('state') !== application.expectedState) throw new Error(`a foreign answer: ${answer}`);
  const back = { authorizationCode: answer.get('code'), iss: answer.get('iss') };
  if ((await sdk.auth(application, { ...at, ...back })) !== 'AUTHORIZED') throw new Error('no login came about');
  return application;
}

/** The way to a server over HTTP, with a login or without. */
export const overHttp = (sdk, url, authProvider) => new sdk.Http(new URL(url), { authProvider });

/** The way to a program. */
export function overStdio(sdk, [command, ...args], environment) {
  return new sdk.Stdio({ command, args, env: { ...getDefaultEnvironment(), ...environment }, stderr: 'ignore' });
}

/** The way through `hallpass connect`, as somebody who is logged in. */
export function overConnect(sdk, installation, endpoint) {
  return overStdio(sdk, [HALLPASS, '--data', installation.folder, 'connect', endpoint], installation.opener.environment);
}

/** Connects, holds a conversation, and gives what was said and in which revision. */
export async function converse(client, transport, talk) {
  const mcp = client.make();
  let revision;
  const note = transport.setProtocolVersion?.bind(transport);
  transport.setProtocolVersion = (negotiated) => {
    revision = negotiated;
    note?.(negotiated);
  };
  try {
    await mcp.connect(transport);
    const can = mcp.getServerCapabilities() ?? {};
    const said = await talk({
      tools: () => mcp.listTools(),
      prompts: () => (can.prompts ? mcp.listPrompts() : undefined),
      resources: () => (can.resources ? mcp.listResources() : undefined),
      // An error is an answer too.
      call: (name, args, onprogress) =>
        client.sdk.callTool(mcp, { name, arguments: args }, onprogress).catch(({ code, message }) => ({ code, message })),
    });
    return { revision: mcp.getNegotiatedProtocolVersion?.() ?? revision, said };
  } finally {
    await mcp.close();
  }
}
