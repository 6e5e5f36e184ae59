// Somebody else's authorization server, as far as a resource server sees it: metadata, and keys that change.

import { once } from 'node:events';
import { createServer } from 'node:http';

import { exportJWK, generateKeyPair, SignJWT } from 'jose';

/** Tokens of the last three are about; an issuer that publishes every key that it ever had is refused after 64. */
const PUBLISHED = 5;

/** The owner ends it. */
export class Issuer {
  #keys = [];
  #number = 0;

  static async start(owner) {
    const self = new Issuer();
    await self.rotate();
    const server = createServer((request, response) => {
      const answer = request.url.startsWith('/.well-known/') ? self.#metadata() : { keys: self.#published() };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
    server.listen(0, '127.0.0.1');
    owner.after(() => {
      server.closeAllConnections();
      server.close();
    });
    await once(server, 'listening');
    self.url = `http://127.0.0.1:${server.address().port}`;
    return self;
  }

  /** A new key signs from now on; those before it stay published for as long as their tokens live. */
  async rotate() {
    const pair = await generateKeyPair('ES256', { extractable: true });
    this.#number += 1;
    const kid = `key-${this.#number}`;
    this.#keys.push({ kid, ...pair, jwk: { ...(await exportJWK(pair.publicKey)), kid, alg: 'ES256', use: 'sig' } });
    this.#keys = this.#keys.slice(-PUBLISHED);
  }

  /** A token of this issuer: for the resource, with these scopes, and what else is said. */
  async token(resource, { scope = 'mcp:use', audience = resource, lives = 300, subject = 'somebody', key } = {}) {
    const signer = key ?? this.#keys.at(-1);
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ scope, client_id: 'soak', jti: crypto.randomUUID() })
      .setProtectedHeader({ alg: 'ES256', kid: signer.kid, typ: 'at+jwt' })
      .setIssuer(this.url)
      .setSubject(subject)
      .setAudience(audience)
      .setIssuedAt(now - 600)
      .setExpirationTime(now + lives)
      .sign(signer.privateKey);
  }

  /** A token with this issuer's name by a key that is not published, though its id is. */
  async forgery(resource) {
    const { privateKey } = await generateKeyPair('ES256');
    return this.token(resource, { key: { kid: this.#keys.at(-1).kid, privateKey } });
  }

  #published() {
    return this.#keys.map(({ jwk }) => jwk);
  }

  #metadata() {
    return {
      issuer: this.url,
      jwks_uri: `${this.url}/jwks`,
      authorization_endpoint: `${this.url}/authorize`,
      token_endpoint: `${this.url}/token`,
      response_types_supported: ['code'],
    };
  }
}
