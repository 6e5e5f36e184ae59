// The official TypeScript SDK's client, unmodified, as an application uses it.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { randomUUID } from 'node:crypto';

/** Remembers, for one server, what the SDK asks an application to remember. */
export class Application {
  #client;
  #tokens;
  #verifier;

  constructor(redirectUrl, name = 'Stranger', grants = ['authorization_code', 'refresh_token']) {
    this.redirectUrl = redirectUrl;
    this.name = name;
    this.grants = grants;
  }

  get clientMetadata() {
    return {
      client_name: this.name,
      redirect_uris: [this.redirectUrl],
      grant_types: this.grants,
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
  }

  state() {
    this.expectedState = randomUUID();
    return this.expectedState;
  }

  clientInformation() {
    return this.#client;
  }

  saveClientInformation(client) {
    this.#client = client;
  }

  tokens() {
    return this.#tokens;
  }

  saveTokens(tokens) {
    this.#tokens = tokens;
  }

  redirectToAuthorization(url) {
    this.authorizationUrl = url;
  }

  saveCodeVerifier(verifier) {
    this.#verifier = verifier;
  }

  codeVerifier() {
    return this.#verifier;
  }
}

/** A client that can do what servers may ask of one. */
export function newClient() {
  const client = new Client(
    { name: 'stranger', version: '1.0.0' },
    { capabilities: { sampling: {}, elicitation: {}, roots: { listChanged: true } } },
  );
  client.setRequestHandler(CreateMessageRequestSchema, (request) => ({
    model: 'a-parrot',
    role: 'assistant',
    content: { type: 'text', text: `You said: ${JSON.stringify(request.params.messages)}` },
  }));
  client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///stranger', name: 'home' }] }));
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'decline' }));
  return client;
}

/** Connects without a login, to a server that wants none. */
export async function connectDirectly(url) {
  const client = newClient();
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  return client;
}

/**
 * Connects to a protected server: is refused, lets the person log in, redeems the code, connects again.
 *
 * @param {string} endpoint
 * @param {import('./callback.js').Callback} callback
 * @param {(authorizationUrl: URL) => Promise<void>} answer what the person does at the authorization URL
 */
export async function connectWithLogin(endpoint, callback, answer) {
  const application = new Application(callback.url);
  const first = new StreamableHTTPClientTransport(new URL(endpoint), { authProvider: application });
  let refused;
  try {
    await newClient().connect(first);
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    refused = error;
  }
  if (!refused) throw new Error(`${endpoint} let a client in that was not logged in`);

  await answer(application.authorizationUrl);
  const response = await callback.response();
  if (response.get('state') !== application.expectedState) throw new Error(`a foreign answer: ${response}`);
  if (!response.get('code')) throw new Error(`no code in the answer: ${response}`);
  await first.finishAuth(response.get('code'));

  const client = newClient();
  const transport = new StreamableHTTPClientTransport(new URL(endpoint), { authProvider: application });
  await client.connect(transport);
  return { client, application, transport, response };
}
