// The person that the official suite waits for when it tests an authorization server:
// `cargo xtask conformance authorization-server` runs this and judges what the suite wrote.

import path from 'node:path';

import { Browser } from '../peers/browser.js';
import { Everything } from '../peers/everything.js';
import { ALICE, Hallpass } from '../peers/hallpass.js';
import { Person } from '../peers/person.js';
import { freePort, Program, Script } from '../peers/process.js';

const SUITE = path.resolve(import.meta.dirname, '../node_modules/@modelcontextprotocol/conformance/dist/index.js');

const [results] = process.argv.slice(2);
if (!results) throw new Error('usage: node conformance/authorization-server.js RESULTS');

await new Script().run(async (script) => {
  const everything = await Everything.start(script);
  const port = await freePort();
  const hallpass = await Hallpass.serve(script, ['--upstream', everything.url], {
    clients: [['--id', 'conformance', '--redirect-uri', `http://127.0.0.1:${port}/callback`]],
  });
  const person = new Person(await Browser.open(script));

  const suite = new Program(process.execPath, [
    SUITE,
    'authorization',
    ...['--url', hallpass.issuer, '--resource', hallpass.endpoint],
    ...['--client-id', 'conformance', '--port', String(port)],
    ...['--output-dir', results],
  ]);
  script.after(() => suite.stop());

  const [authorizationUrl] = await suite.prints(/^https?:\S+[?&]code_challenge_method=S256\S*$/m);
  await person.open(authorizationUrl);
  await person.logIn(ALICE);
  await person.consent();

  const how = await suite.end({ patience: 60_000 });
  if (how !== 0) {
    console.log(suite.output());
    process.exitCode = 1;
  }
});
