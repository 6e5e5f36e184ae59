// A program with a login of its own (client credentials): tokens without a person.

import { HALLPASS } from './hallpass.js';

/** What `hallpass client add` needs to know of it. */
export const MACHINE = {
  add: ['--id', 'machine', '--grant', 'client_credentials', '--redirect-uri', 'http://127.0.0.1:9/callback'],
  secret: 'known to the machine and hallpass alone',
};

/** Tokens of one hallpass, each used until shortly before its end. */
export class Machine {
  #token;
  #until = 0;
  #asking;

  /**
   * @param {string} issuer
   * @param {string} resource the MCP endpoint
   * @param {string} [scope] what is asked for; without it, what the client may have
   */
  constructor(issuer, resource, scope) {
    this.issuer = issuer;
    this.resource = resource;
    this.scope = scope;
  }

  /** The token of the moment. However many ask, one request is made. */
  async token() {
    if (Date.now() < this.#until) return this.#token;
    this.#asking ??= this.fresh().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  /** A new one. */
  async fresh() {
    const answer = await fetch(new URL('/token', this.issuer), {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: 'machine',
        client_secret: MACHINE.secret,
        resource: this.resource,
        ...(this.scope && { scope: this.scope }),
      }),
    });
    const granted = await answer.json();
    if (!answer.ok) throw new Error(`no token (${HALLPASS}): ${JSON.stringify(granted)}`);
    this.#token = granted.access_token;
    this.#until = Date.now() + (granted.expires_in * 1000) / 2;
    return this.#token;
  }
}
