// The tokens that every proxy is asked to let through: hallpass's own, as its token endpoint issues them.

import { createPublicKey } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { Hallpass } from '../../peers/hallpass.js';
import { connections, post } from '../load.js';
import { ON_PROXY } from './processor.js';

export const NUMBER = 1_000;
/** What every hallpass looks at. */
export const RULES = `
        [server.scopes]
        default = ["notes:read"]
        "notes:write" = { says = "Change notes" }
        [server.tools]
        "search_*" = { scopes = ["notes:read"] }
        "write_*" = { scopes = ["notes:write"] }
        "purge" = "deny"
`;
const SECRET = 'known to the client and the server alone';

/** A hallpass before the upstream for each algorithm, its tokens in a file, and its public key in another. */
export async function issuers(script, { folder, upstream }) {
  const all = [];
  for (const algorithm of ['ES256', 'RS256']) {
    const hallpass = await Hallpass.serve(script, [], {
      user: null,
      through: ON_PROXY,
      clients: [{ add: ['--id', 'robot', '--grant', 'client_credentials'], secret: SECRET }],
      config: `
        [authorization_server]
        signing_algorithm = "${algorithm}"
        access_token_lifetime = "1h"
        [server]
        upstream = "http://127.0.0.1:${upstream}/mcp"
        ${RULES}
      `,
    });
    const agent = connections(4);
    const authorization = `Basic ${Buffer.from(`robot:${encodeURIComponent(SECRET)}`).toString('base64')}`;
    const form = { grant_type: 'client_credentials', scope: 'notes:read', resource: hallpass.endpoint };
    const lines = [];
    while (lines.length < NUMBER) {
      lines.push((await post(agent, `${hallpass.issuer}/token`, form, { authorization })).access_token);
    }
    agent.destroy();
    const { keys } = await (await fetch(`${hallpass.issuer}/jwks`)).json();
    const { kid } = JSON.parse(Buffer.from(lines[0].split('.')[0], 'base64url'));
    const jwk = keys.find((key) => key.kid === kid);
    const file = (name) => path.join(folder, `${algorithm}.${name}`);
    await writeFile(file('tokens'), lines.join('\n'));
    // For who verifies each anew, and takes its time.
    await writeFile(file('few'), lines.slice(0, 10).join('\n'));
    await writeFile(file('pem'), createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }));
    const { issuer, endpoint } = hallpass;
    all.push({ algorithm, hallpass, issuer, endpoint, jwk, tokens: file('tokens'), few: file('few'), pem: file('pem') });
  }
  return all;
}
