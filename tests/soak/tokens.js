// Tokens of two issuers: hallpass itself, and somebody else whose keys change.

import { randomUUID } from 'node:crypto';

/** Tokens for the servers of a soak. */
export class Tokens {
  /** Tokens of somebody else, with whose they are; each is used by several clients for a while. */
  #pool = [];
  #expired = [];

  constructor(issuer, resource, machines) {
    this.issuer = issuer;
    this.resource = resource;
    this.machines = machines;
  }

  /** New ones, by the key of the moment. The oldest go: they would expire. */
  async renew() {
    for (let number = 0; number < 20; number += 1) {
      const subject = `person-${randomUUID()}`;
      // Whom another issuer calls so is another person than whom hallpass does.
      const caller = `${this.issuer.url}#${subject}`;
      this.#pool.push({ subject: caller, token: await this.issuer.token(this.resource, { subject }) });
    }
    this.#pool = this.#pool.slice(-60);
    this.#expired = await Promise.all(
      [-3600, -120].map((lives) => this.issuer.token(this.resource, { lives })),
    );
  }

  /** One that has to be taken, and whom hallpass has to see in it. */
  async good(resource = this.resource) {
    if (resource !== this.resource) return { token: await this.machines.get(resource).token() };
    if (Math.random() < 0.3) return { token: await this.machines.get(resource).token(), subject: 'machine' };
    return pick(this.#pool);
  }

  async expired() {
    return pick(this.#expired);
  }

  async elsewhere() {
    return this.issuer.token(this.resource, { audience: 'http://localhost:9/mcp' });
  }

  async forged() {
    return this.issuer.forgery(this.resource);
  }
}

/** A whole number below another, by chance. */
export function below(number) {
  return Math.floor(Math.random() * number);
}

/** One of them, by chance. */
export function pick(some) {
  return some[below(some.length)];
}
