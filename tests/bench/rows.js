// Rows as hallpass would have written them, by the hundred thousand, in one transaction. What is stored of a token is its
// SHA-256, so that the tokens of these rows are known: `refresh-1`, `code-1` and so on.

import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';

export const digest = (text) => createHash('sha256').update(text).digest('base64url');

export const VERIFIER = 'a-verifier-that-everybody-knows-since-this-is-a-benchmark';

const DAY = 24 * 60 * 60;
const USERS = 1_000;

/** The statements, the same for both databases but for how numbers are counted and how a text is hashed. */
function statements({ numbers, hash }, resource) {
  const now = Math.floor(Date.now() / 1000);
  const user = `'user-' || (i % ${USERS})`;
  const grants = (from, to, ends) => `
    INSERT INTO grants (id, user_id, client_id, resource, scopes, created_at, expires_at, bound_to, confidential, device)
      SELECT substr(${hash("'grant-' || i")}, 1, 22), ${user}, 'installed', '${resource}', 'notes:read', ${now - DAY},
             ${ends}, NULL, 0, 'Firefox on Linux' FROM ${numbers(from, to)};`;
  const tokens = (from, to, ends) => `
    INSERT INTO refresh_tokens (token_hash, grant_id, expires_at)
      SELECT ${hash("'refresh-' || i")}, substr(${hash("'grant-' || i")}, 1, 22), ${ends} FROM ${numbers(from, to)};`;
  const codes = (from, to, ends) => `
    INSERT INTO codes (code_hash, grant_id, user_id, client_id, redirect_uri, challenge, resource, scopes, refreshable,
                       expires_at, confidential, device)
      SELECT ${hash("'code-' || i")}, substr(${hash("'grant-of-code-' || i")}, 1, 22), ${user}, 'installed',
             'http://127.0.0.1/callback', '${digest(VERIFIER)}', '${resource}', 'notes:read', 1, ${ends}, 0,
             'Firefox on Linux' FROM ${numbers(from, to)};`;
  return {
    users: `INSERT INTO users (id, name, name_key, password_hash, created_at)
      SELECT 'user-' || i, 'user-' || i, 'user-' || i, '-', ${now} FROM ${numbers(0, USERS)};`,
    alive: (from, to) => grants(from, to, now + 180 * DAY) + tokens(from, to, now + 30 * DAY),
    codes: (from, to) => codes(from, to, now + DAY),
    /** Grants with a token each, codes, and ids that were seen once: a quarter of the number each. */
    ended: (number) => {
      const [from, to] = [10_000_000, 10_000_000 + Math.floor(number / 4)];
      const seen = `INSERT INTO seen_ids (seen, expires_at) SELECT ${hash("'seen-' || i")}, ${now - 1} FROM ${numbers(from, to)};`;
      return grants(from, to, now - 1) + tokens(from, to, now - 1) + codes(from, to, now - 2 * DAY) + seen;
    },
    // Looked up by their indexes: a reader that counts a million rows holds up SQLite's checkpoints.
    begun: `SELECT 1 - count(*) AS answer FROM refresh_tokens WHERE token_hash = '${digest('refresh-10000000')}'`,
    over: `SELECT ${['grants', 'refresh_tokens', 'codes', 'seen_ids']
      .map((table) => `NOT EXISTS (SELECT 1 FROM ${table} WHERE expires_at < ${now})`)
      .join(' AND ')} AS answer`,
  };
}

/** The tables in a SQLite file. */
export class SqliteRows {
  constructor(file, resource) {
    this.file = file;
    this.sql = statements(
      {
        numbers: (from, to) => `(WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${to}) SELECT i FROM n)`,
        hash: (text) => `sha256(${text})`,
      },
      resource,
    );
  }

  async add(statements) {
    this.#with((database) => {
      database.function('sha256', { deterministic: true }, digest);
      database.exec(`PRAGMA cache_size = -1000000; BEGIN IMMEDIATE; ${statements} COMMIT; PRAGMA wal_checkpoint(TRUNCATE)`);
    });
  }

  /** Whether a question of `sql` is answered by yes. */
  async ask(question) {
    return this.#with((database) => database.prepare(question).get().answer === 1);
  }

  #with(work) {
    const database = new DatabaseSync(this.file, { timeout: 10_000 });
    try {
      return work(database);
    } finally {
      database.close();
    }
  }
}

/** The tables in a schema of PostgreSQL. */
export class PostgresRows {
  constructor(postgres, url, resource) {
    this.postgres = postgres;
    this.schema = /search_path%3D(\w+)/.exec(url)[1];
    this.sql = statements(
      {
        numbers: (from, to) => `generate_series(${from}, ${to - 1}) AS n(i)`,
        hash: (text) => `rtrim(translate(encode(sha256((${text})::bytea), 'base64'), '+/', '-_'), '=')`,
      },
      resource,
    );
  }

  async add(statements) {
    await this.postgres.sql(`BEGIN; ${statements} COMMIT; ANALYZE;`, { schema: this.schema, patience: 600_000 });
  }

  async ask(question) {
    return ['1', 't'].includes((await this.postgres.sql(question, { schema: this.schema })).trim());
  }
}
