// hallpass as somebody's authorization server: with clients of every kind, on either database.

import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { exportJWK, generateKeyPair } from 'jose';

import { ALICE, Hallpass } from './hallpass.js';
import { Postgres } from './postgres.js';
import { freePort, temporaryFolder } from './process.js';
import { TextBrowser } from './text-browser.js';
import { Upstream } from './upstream.js';

/** What it can keep its tables in. */
export const DATABASES = ['SQLite', 'PostgreSQL'];

/** Where codes are sent: nobody listens there, since the person reads the address. */
export const CALLBACK = 'http://127.0.0.1:9/callback';

/** With everything in it that an encoding could spoil. */
export const SECRET = 's3cret: 100% +&=/ "quoted" é';

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const grants = (...names) => names.flatMap((name) => ['--grant', name]);

/** The owner ends it. */
export class AuthorizationServer {
  static async on(owner, database) {
    const self = new AuthorizationServer();
    const upstream = await Upstream.start(owner);
    const url = database === 'PostgreSQL' ? await (await Postgres.start(owner)).newSchema() : undefined;
    const { folder, remove } = await temporaryFolder();
    owner.after(remove);
    self.keys = await generateKeyPair('ES256', { extractable: true });
    const jwks = path.join(folder, 'robot.jwks.json');
    await writeFile(jwks, JSON.stringify({ keys: [{ ...(await exportJWK(self.keys.publicKey)), alg: 'ES256', use: 'sig' }] }));
    // What may be exchanged is said by the URL of what it is for.
    const port = await freePort();
    const endpoint = `http://localhost:${port}/mcp`;
    self.hallpass = await Hallpass.serve(owner, [], {
      port,
      config: `
        ${url ? `database.url = "${url}"` : ''}
        [server]
        upstream = "${upstream.url}"
        [server.scopes]
        default = ["notes:read"]
        "notes:read" = { says = "Read your notes" }
        "notes:write" = { says = "Write notes for you" }
        [server.credentials]
        dpop_nonces = true
        [[authorization_server.exchange]]
        client_id = "backend"
        from = "${endpoint}"
        to = "${endpoint}"
        scopes = ["notes:read"]
      `,
      clients: [
        ['--id', 'installed', '--redirect-uri', CALLBACK, ...grants('authorization_code', 'refresh_token', DEVICE_CODE)],
        {
          add: ['--id', 'site', '--redirect-uri', CALLBACK, ...grants('authorization_code', 'refresh_token', 'client_credentials')],
          secret: SECRET,
        },
        { add: ['--id', 'backend', ...grants(TOKEN_EXCHANGE)], secret: SECRET },
        ['--id', 'robot', '--redirect-uri', CALLBACK, '--jwks', jwks, ...grants('authorization_code', 'refresh_token', 'client_credentials')],
      ],
    });
    // Tests on PostgreSQL that ran on SQLite would show nothing.
    const onFile = existsSync(path.join(self.hallpass.data.folder, 'hallpass.db'));
    if (onFile !== (database === 'SQLite')) throw new Error(`this is not on ${database}`);
    self.issuer = new URL(self.hallpass.issuer);
    self.resource = self.hallpass.endpoint;
    return self;
  }

  /** A person allows what is asked; gives the answer as it reaches the client. */
  async allow(authorizationUrl) {
    return new TextBrowser().allow(authorizationUrl, ALICE);
  }

  /** A person types the code that a device shows, and allows what is asked. */
  async allowDevice(page, code) {
    const browser = new TextBrowser();
    await browser.open(page);
    // Whoever is not logged in yet is asked to do so before the code, or after it.
    if (/type="password"/.test(browser.html)) await browser.logIn(ALICE);
    if (/name="user_code" type="text"/.test(browser.html)) await browser.send(/name="user_code"/, { user_code: code });
    if (/type="password"/.test(browser.html)) await browser.logIn(ALICE);
    await browser.send(/name="decision"/, { decision: 'allow' });
  }
}
