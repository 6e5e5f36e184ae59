// Logging in through the OAuth proxy of PyPI's fastmcp, whose upstream is `oidc-provider`: two pages of consent by two
// strangers, and tokens that the proxy makes itself.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Browser } from '../peers/browser.js';
import { FastMcp } from '../peers/fastmcp.js';
import { Installation } from '../peers/installation.js';
import { OidcProvider } from '../peers/oidc-provider.js';
import { Person } from '../peers/person.js';

test("fastmcp's OAuth proxy", { timeout: 120_000 }, async (t) => {
  const fastmcp = await FastMcp.atFreePort();
  const as = await OidcProvider.start(t, { clients: [fastmcp.client] });
  const [browser, installation] = await Promise.all([
    Browser.open(t),
    Installation.make(t),
    fastmcp.start(t, as),
  ]);
  const person = new Person(browser);

  await t.test('a login through both', async () => {
    const said = await installation.runWithLogin(['login', fastmcp.url], async (url) => {
      await person.open(url);
      await person.consent();
      await as.logIn(person);
      await person.reads(/you can close this/i);
    });
    assert.match(said, /Logged in to/);
  });

  await t.test('its tool, through connect, says who logged in upstream', async () => {
    const { content } = await installation.callTool([fastmcp.url], 'whoami');
    assert.equal(content[0].text, 'alice');
  });
});
