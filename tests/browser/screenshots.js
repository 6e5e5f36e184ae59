// Takes the pictures for the documentation: `cargo xtask browser --screenshots`.

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import { Browser } from '../peers/browser.js';
import { Callback } from '../peers/callback.js';
import { Hallpass } from '../peers/hallpass.js';
import { OidcProvider } from '../peers/oidc-provider.js';
import { Person } from '../peers/person.js';
import { Script } from '../peers/process.js';
import { Application, newClient } from '../peers/sdk-client.js';

const SCREENS = {
  // As high as the longest page, so that all pictures of a screen have one size and show everything.
  desktop: { width: 960, height: 960 },
  phone: { width: 390, height: 960, phone: true },
};
const COLOURS = ['light', 'dark'];

const [folder] = process.argv.slice(2);
if (!folder) throw new Error('usage: node browser/screenshots.js FOLDER');
await mkdir(folder, { recursive: true });

await new Script().run(async (script) => {
  // The usual port, so that pictures look like what a newcomer sees.
  const hallpass = await Hallpass.serve(script, ['--demo'], { user: null, port: 8080 });
  const user = { name: await hallpass.printed('User'), password: await hallpass.printed('Password') };
  const callback = await Callback.listen(script);
  const browser = await Browser.open(script);
  const person = new Person(browser);

  const application = new Application(callback.url, 'Example Client');
  const transport = new StreamableHTTPClientTransport(new URL(hallpass.endpoint), { authProvider: application });
  await newClient()
    .connect(transport)
    .catch((error) => {
      if (!(error instanceof UnauthorizedError)) throw error;
    });

  const fits = async (page, screen) => {
    const { cssContentSize } = await browser.driver.sendAndGetDevToolsCommand('Page.getLayoutMetrics');
    if (cssContentSize.height > SCREENS[screen].height) {
      throw new Error(`${page} is ${cssContentSize.height} pixels high; make ${screen} higher`);
    }
  };
  const picture = async (page) => {
    for (const [screen, size] of Object.entries(SCREENS)) {
      for (const colours of COLOURS) {
        await browser.screen(size);
        await browser.colours(colours);
        await fits(page, screen);
        const file = path.join(folder, `${page}-${screen}-${colours}.png`);
        await writeFile(file, await browser.driver.takeScreenshot(), 'base64');
        console.log(file);
      }
    }
  };
  await person.open(application.authorizationUrl);
  await picture('login');
  await person.logIn(user);
  await person.readConsent();
  await picture('consent');

  // The same with a provider to sign in through.
  const as = await OidcProvider.start(script);
  const company = await Hallpass.serve(script, [], {
    config: `
      [server]
      upstream = "http://localhost:9/mcp"
      [third_parties.acme]
      issuer = "${as.issuer}"
      client_id = "hallpass"
      [authorization_server.sign_in.acme]
      label = "Acme"
      anybody = true
    `,
  });
  await person.open(`${company.issuer}/login?then=/account`);
  await picture('sign-in');
});
