// `hallpass doctor --login`: what it says of a sound server after a real login, for hallpass's own and for a stranger's.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Browser } from '../peers/browser.js';
import { ALICE, Hallpass } from '../peers/hallpass.js';
import { Installation } from '../peers/installation.js';
import { OidcProvider, SCOPES } from '../peers/oidc-provider.js';
import { Person } from '../peers/person.js';
import { ProtectedServer } from '../peers/protected-server.js';

/** The steps of a login that ends well. */
const LOGIN = ['login.done', 'login.audience', 'login.lifetime', 'login.refresh', 'login.call', 'login.revocation'];

test('a doctor that logs in', { timeout: 120_000 }, async (t) => {
  const [browser, installation] = await Promise.all([Browser.open(t), Installation.make(t)]);
  const person = new Person(browser);

  /** Examines a server, which has to have no fault; gives the report. */
  async function examine(url, answer) {
    const program = await installation.endAfterLogin(['doctor', url, '--login', '--json'], async (page) => {
      await person.open(page);
      await answer();
      await person.reads(/you can close this/i);
    });
    const report = JSON.parse(program.stdout);
    const amiss = report.findings.filter((finding) => finding.verdict !== 'ok');
    const told = JSON.stringify(amiss, undefined, 2);
    const faults = amiss.filter((finding) => finding.verdict === 'fault');
    assert.deepEqual(faults.map((finding) => finding.check), [], told);
    assert.equal(program.how, 0, program.stderr);
    const verdicts = new Map(report.findings.map((finding) => [finding.check, finding.verdict]));
    for (const step of LOGIN) {
      assert.equal(verdicts.get(step), 'ok', `${step}: ${told}`);
    }
    // No token is ever printed; each of these begins as a JWT does.
    assert.doesNotMatch(program.output(), /eyJ[\w-]+\.[\w-]+\./);
    return report;
  }

  await t.test('the demonstration of hallpass itself', async (t) => {
    const demo = await Hallpass.serve(t, ['--demo'], { user: null });
    const report = await examine(demo.endpoint, async () => {
      await person.logIn({ name: 'demo', password: await demo.printed('Password') });
      await person.consent();
    });
    const warnings = report.findings.filter((finding) => finding.verdict !== 'ok').map((finding) => finding.check);
    assert.deepEqual(warnings, []);
  });

  await t.test('a server of the SDK behind oidc-provider', async (t) => {
    const as = await OidcProvider.start(t, { features: { registration: { enabled: true } } });
    const mcp = await ProtectedServer.start(t, { issuer: as.issuer, scopes: SCOPES });
    await examine(mcp.url, () => as.logIn(person));
  });

  await t.test('a server that is broken: exit code 1, and the fault by name', async (t) => {
    // It names an authorization server that is not there.
    const mcp = await ProtectedServer.start(t, { issuer: 'http://127.0.0.1:9', scopes: SCOPES });
    const program = installation.start(['doctor', mcp.url, '--json']);
    assert.equal(await program.end(), 1, program.output());
    const faults = JSON.parse(program.stdout).findings.filter((finding) => finding.verdict === 'fault');
    assert.deepEqual(
      faults.map((finding) => finding.check),
      ['server.metadata'],
    );
  });
});
