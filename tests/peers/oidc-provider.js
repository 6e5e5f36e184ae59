// The certified authorization server of npm, with the pages that it brings itself. Each test says what it is to demand.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

import { createLocalJWKSet, exportJWK, generateKeyPair, jwtVerify } from 'jose';
import Provider, { errors } from 'oidc-provider';

/** The scopes of every resource that it issues tokens for. */
export const SCOPES = ['mcp:read', 'mcp:write'];

/** One authorization server with keys of its own. The owner ends it. */
export class OidcProvider {
  #server;
  #options;
  #keys;
  /** What happened, by the provider's own event names. */
  events = [];

  /**
   * @param {object} options
   *   `features`: the provider's own, beside those below; `clients`: registered by hand;
   *   `documents`: what it gets where it fetches these URLs, since a certificate for them cannot be had here;
   *   `tells`: what it may post to, on this machine
   */
  static async start(owner, { features = {}, clients = [], documents = {}, tells = [], ...configuration } = {}) {
    const self = new OidcProvider();
    self.#server = createServer((request, response) => self.answer(request, response));
    self.#server.listen(0, '127.0.0.1');
    owner.after(() => self.#close());
    await once(self.#server, 'listening');
    self.issuer = `http://127.0.0.1:${self.#server.address().port}`;
    self.#options = { features, clients, documents, tells, ...configuration };
    self.#keys = [await newKey()];
    self.#serve();
    return self;
  }

  /** Signs with another key from now on; the former ones stay published. */
  async rotateKeys() {
    this.#keys = [await newKey(), ...this.#keys];
    this.#serve();
  }

  /** Whose access token it is, if it is one of this provider's. */
  async whose(token) {
    if (token.split('.').length !== 3) return (await this.provider.AccessToken.find(token))?.accountId;
    const keys = createLocalJWKSet({ keys: this.#keys.map(({ d, ...open }) => open) });
    const verified = await jwtVerify(token, keys, { issuer: this.issuer, typ: 'at+jwt' }).catch(() => undefined);
    return verified?.payload.sub;
  }

  /** A person logs out, and means it. */
  async logOut(person) {
    await person.open(`${this.issuer}/session/end`);
    await person.press(/yes/i);
    await person.reads(/success/i);
  }

  /** Is not to be reached any more. */
  async stop() {
    const closed = once(this.#server, 'close');
    this.#close();
    await closed;
  }

  #serve() {
    const { features, clients, documents, tells, ...configuration } = this.#options;
    this.provider = new Provider(this.issuer, {
      ...configuration,
      clients,
      clientDefaults: { id_token_signed_response_alg: 'ES256' },
      cookies: { keys: [randomBytes(16).toString('hex')] },
      jwks: { keys: this.#keys },
      enabledJWA: { idTokenSigningAlgValues: ['ES256'], dPoPSigningAlgValues: ['ES256'] },
      scopes: ['openid', 'offline_access', ...SCOPES],
      // The guard of its fetch refuses this machine's addresses, and rightly so.
      fetch: async (url, options) =>
        tells.includes(String(url)) ? fetch(url, { ...options, dispatcher: undefined }) : documentAt(documents, url),
      features: {
        pushedAuthorizationRequests: { enabled: false },
        dPoP: { enabled: false },
        revocation: { enabled: true },
        resourceIndicators: { enabled: true, getResourceServerInfo: resourceServer('jwt') },
        ...features,
      },
    });
    this.answer = this.provider.callback();
    for (const event of EVENTS) this.provider.on(event, () => this.events.push(event));
    for (const event of ['server_error', 'grant.error', 'authorization.error', 'backchannel.error', 'registration_create.error']) {
      this.provider.on(event, (_, error) => this.events.push(`${event}: ${error.message} ${error.error_description ?? ''}`));
    }
  }

  /** A person logs in, and says yes. */
  async logIn(person, name = 'alice') {
    await person.fillIn('login', name);
    await person.fillIn('password', 'any will do');
    await person.press(/sign-in/i);
    await this.consent(person);
  }

  async consent(person) {
    await person.press(/continue/i);
  }

  has(event) {
    return this.events.includes(event);
  }

  async #close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

const EVENTS = [
  'registration_create.success',
  'pushed_authorization_request.success',
  'authorization.success',
  'backchannel.success',
  'device_authorization.success',
  'grant.success',
  'grant.revoked',
  'refresh_token.consumed',
  'refresh_token.saved',
];

/** What makes tokens JWTs (RFC 9068) or opaque where nobody asks for a resource, and lets them end; refresh tokens end with the
 * session there. */
export function withoutResource(format, lifetime) {
  const resourceIndicators = {
    enabled: true,
    getResourceServerInfo: resourceServer('jwt'),
    defaultResource: (_, __, oneOf) => oneOf ?? (format === 'jwt' ? 'http://api.example/' : undefined),
    useGrantedResource: () => true,
  };
  return {
    features: { resourceIndicators },
    issueRefreshToken: () => true,
    expiresWithSession: () => true,
    rotateRefreshToken: true,
    ttl: { AccessToken: () => lifetime },
  };
}

/** Every resource that is asked for is one that it knows, with tokens that are JWTs (RFC 9068) or opaque. */
export function resourceServer(accessTokenFormat) {
  return (_, resource) => {
    if (!resource.startsWith('http://')) throw new errors.InvalidTarget();
    return {
      scope: SCOPES.join(' '),
      audience: resource,
      accessTokenTTL: 600,
      accessTokenFormat,
      ...(accessTokenFormat === 'jwt' && { jwt: { sign: { alg: 'ES256' } } }),
    };
  };
}

function documentAt(documents, url) {
  const document = documents[String(url)];
  if (!document) return new Response('nothing here', { status: 404 });
  return Response.json(document);
}

async function newKey() {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return { ...(await exportJWK(privateKey)), use: 'sig', alg: 'ES256', kid: randomBytes(8).toString('hex') };
}
