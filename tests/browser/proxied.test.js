// The arrangement `proxied`: npm's `oidc-provider` has the users and issues the tokens, and registers nobody. hallpass stands
// before it, as one client of its own there.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';

import { decodeJwt } from 'jose';

import { Browser } from '../peers/browser.js';
import { Callback } from '../peers/callback.js';
import { converse } from '../peers/conversation.js';
import { Everything } from '../peers/everything.js';
import { Hallpass } from '../peers/hallpass.js';
import { Installation } from '../peers/installation.js';
import { OidcProvider, resourceServer, SCOPES } from '../peers/oidc-provider.js';
import { Person } from '../peers/person.js';
import { freePort, temporaryFolder } from '../peers/process.js';
import { connectDirectly, connectWithLogin } from '../peers/sdk-client.js';

const SECRET = 'a secret of this test';

/** A provider, and a hallpass before it. */
async function arrange(owner, format) {
  const port = await freePort();
  const client = (client_id, more) => ({ client_id, client_secret: SECRET, response_types: ['code'], ...more });
  const as = await OidcProvider.start(owner, {
    clients: [
      client('hallpass', {
        redirect_uris: [`http://localhost:${port}/provider/callback`],
        grant_types: ['authorization_code', 'refresh_token'],
      }),
    ],
    features: {
      introspection: { enabled: true },
      resourceIndicators: { enabled: true, getResourceServerInfo: resourceServer(format) },
    },
  });
  const { folder, remove } = await temporaryFolder();
  owner.after(remove);
  const secret = path.join(folder, 'secret');
  await writeFile(secret, SECRET, { mode: 0o600 });
  const everything = await Everything.start(owner);
  const opaque = format === 'opaque' ? `introspection = { client_id = "hallpass", secret_file = "${secret}" }` : '';
  const hallpass = await Hallpass.serve(owner, [], {
    user: null,
    port,
    config: `
      [server]
      upstream = "${everything.url}"
      arrangement = "proxied"
      [[server.issuers]]
      issuer = "${as.issuer}"
      ${opaque}
      [server.scopes]
      ${SCOPES.map((scope) => `"${scope}" = {}`).join('\n')}
      [authorization_server]
      proxied = "acme"
      [third_parties.acme]
      issuer = "${as.issuer}"
      client_id = "hallpass"
      secret_file = "${secret}"
    `,
  });
  return { as, everything, hallpass };
}

/** What a person does: yes to the app here, then a login at the provider, and yes to hallpass there. */
const logIn = (person, as) => async (url) => {
  await person.open(url);
  const said = await person.readConsent();
  assert.match(said, new RegExp(new URL(as.issuer).host), 'the page says where the login is');
  await person.consent();
  await as.logIn(person).catch((error) => {
    throw new Error(`${error.message}\n${as.events.join('\n')}`, { cause: error });
  });
};

for (const format of ['jwt', 'opaque']) {
  test(`a provider without registration, whose tokens are ${format}`, { timeout: 120_000 }, async (t) => {
    const { as, everything, hallpass } = await arrange(t, format);
    const person = new Person(await Browser.open(t));
    const issuer = `${hallpass.issuer}/`;

    await t.test('the SDK registers with hallpass, and calls with a token of the provider', async () => {
      const document = await (await fetch(`${hallpass.issuer}/.well-known/oauth-protected-resource/mcp`)).json();
      assert.deepEqual(document.authorization_servers.map((one) => `${new URL(one)}`), [issuer]);
      const callback = await Callback.listen(t);
      const { client, application, response } = await connectWithLogin(hallpass.endpoint, callback, logIn(person, as));
      assert.equal(`${new URL(response.get('iss'))}`, issuer, 'the answer is of hallpass');
      const direct = await connectDirectly(everything.url);
      t.after(() => direct.close());
      assert.deepEqual(await converse(client), await converse(direct));
      await client.close();

      const { access_token, refresh_token, token_type } = application.tokens();
      assert.equal(token_type.toLowerCase(), 'bearer');
      if (format === 'jwt') {
        const claims = decodeJwt(access_token);
        assert.deepEqual([claims.iss, claims.aud, claims.sub], [as.issuer, hallpass.endpoint, 'alice']);
        assert.equal(claims.client_id, 'hallpass');
      } else {
        assert.equal(access_token.split('.').length, 1);
      }
      const body = new URLSearchParams({
        grant_type: 'refresh_token',
        client_id: application.clientInformation().client_id,
        refresh_token,
      });
      const refresh = async () => {
        const answer = await fetch(`${hallpass.issuer}/token`, { method: 'POST', body });
        assert.equal(answer.status, 200, await answer.clone().text());
        return answer.json();
      };
      const grants = () => as.events.filter((event) => event === 'grant.success').length;
      const before = grants();
      const [one, other] = await Promise.all([refresh(), refresh()]);
      assert.equal(one.access_token, other.access_token, 'asked twice, refreshed once');
      assert.equal(one.refresh_token, other.refresh_token);
      assert.notEqual(one.access_token, access_token);
      assert.equal(grants(), before + 1, 'asked once at the provider');
    });

    await t.test('hallpass itself logs in, and connects', async () => {
      const installation = await Installation.make(t);
      const other = new Person(await Browser.open(t));
      const said = await installation.runWithLogin(['login', hallpass.endpoint], async (url) => {
        await logIn(other, as)(url);
        await other.reads(/you can close this/i);
      });
      assert.match(said, new RegExp(`Logged in to ${hallpass.endpoint} at ${hallpass.issuer}`));
      const { client, connected } = installation.bridge([hallpass.endpoint]);
      await connected;
      assert.deepEqual(await client.ping(), {});
      await client.close();
      const left = as.events.length;
      await installation.run(['logout', hallpass.endpoint]);
      assert.ok(as.events.slice(left).some((event) => /revoked|destroyed/.test(event)), 'it ended at the provider, too');
    });
  });
}
