// An MCP server as its author protects it: the SDK's own server and transport behind a check of each token with `jose`.
// It trusts one issuer, and says whom it sees in the token.

import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { calculateJwkThumbprint, createRemoteJWKSet, EmbeddedJWK, jwtVerify } from 'jose';

const METADATA = '/.well-known/oauth-protected-resource';

/** The owner ends it. */
export class ProtectedServer {
  #server;
  #keys;
  /** The nonce that a proof has to hold; never the one that a client could guess. */
  #nonce = randomUUID();
  /** How often a client was sent back for the nonce. */
  nonceDemands = 0;

  /** `dpop`: takes nothing but tokens that are bound to a key, with a nonce in each proof (RFC 9449). */
  static async start(owner, { issuer, scopes, dpop = false }) {
    const self = new ProtectedServer();
    Object.assign(self, { issuer, scopes, dpop });
    self.#keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
    self.#server = createServer((request, response) =>
      self.#answer(request, response).catch((error) => response.writeHead(500).end(error.stack)),
    );
    self.#server.listen(0, '127.0.0.1');
    owner.after(() => self.#close());
    await once(self.#server, 'listening');
    self.origin = `http://127.0.0.1:${self.#server.address().port}`;
    self.url = `${self.origin}/mcp`;
    return self;
  }

  async #answer(request, response) {
    const { pathname } = new URL(request.url, this.origin);
    if (pathname === METADATA || pathname === `${METADATA}/mcp`) return json(response, this.#metadata());
    if (pathname !== '/mcp') return response.writeHead(404).end();
    try {
      const claims = await this.#verify(request);
      await serve(claims, request, response);
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      if (refusal.error === 'use_dpop_nonce') this.nonceDemands += 1;
      const challenge = [
        `${this.dpop ? 'DPoP algs="ES256", ' : 'Bearer '}scope="${this.scopes.join(' ')}"`,
        `resource_metadata="${this.origin}${METADATA}/mcp"`,
        ...(refusal.error ? [`error="${refusal.error}"`] : []),
      ];
      response.setHeader('www-authenticate', challenge.join(', '));
      if (this.dpop) response.setHeader('dpop-nonce', this.#nonce);
      response.writeHead(401).end();
    }
  }

  #metadata() {
    return {
      resource: this.url,
      authorization_servers: [this.issuer],
      scopes_supported: this.scopes,
      bearer_methods_supported: ['header'],
      ...(this.dpop && {
        dpop_signing_alg_values_supported: ['ES256'],
        dpop_bound_access_tokens_required: true,
      }),
    };
  }

  async #verify(request) {
    const [scheme, token] = (request.headers.authorization ?? '').split(' ');
    if (!token) throw new Refusal();
    if (scheme.toLowerCase() !== (this.dpop ? 'dpop' : 'bearer')) throw new Refusal('invalid_token');
    const { payload } = await refusing('invalid_token', () =>
      jwtVerify(token, this.#keys, { issuer: this.issuer, audience: this.url, typ: 'at+jwt' }),
    );
    if (this.dpop) await this.#verifyProof(request, token, payload);
    return { ...payload, scheme };
  }

  /** RFC 9449 §4.3, and §9 for the nonce. */
  async #verifyProof(request, token, { cnf }) {
    const { payload, protectedHeader } = await refusing('invalid_dpop_proof', () =>
      jwtVerify(request.headers.dpop, EmbeddedJWK, { typ: 'dpop+jwt', algorithms: ['ES256'], maxTokenAge: 60 }),
    );
    if (payload.nonce !== this.#nonce) throw new Refusal('use_dpop_nonce');
    const isRight =
      payload.htm === request.method &&
      payload.htu === this.url &&
      payload.ath === createHash('sha256').update(token).digest('base64url') &&
      cnf?.jkt === (await calculateJwkThumbprint(protectedHeader.jwk));
    if (!isRight) throw new Refusal('invalid_dpop_proof');
  }

  async #close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

class Refusal extends Error {
  constructor(error) {
    super(error);
    this.error = error;
  }
}

async function refusing(error, work) {
  return work().catch(() => {
    throw new Refusal(error);
  });
}

/** One request, by a server and a transport of its own: stateless, as the SDK calls it. */
async function serve(claims, request, response) {
  const server = new McpServer({ name: 'protected', version: '1.0.0' });
  server.registerTool('whoami', { description: 'Who you are, as the token says' }, () => ({
    content: [{ type: 'text', text: JSON.stringify(claims) }],
  }));
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
  response.on('close', () => server.close());
  await server.connect(transport);
  await transport.handleRequest(request, response);
}

function json(response, value) {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}
