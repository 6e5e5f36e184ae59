// hallpass with a person's token of a third party in each request to the server behind: what `delegated` costs beside `embedded`.

import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';

import { ALICE, Hallpass } from '../../peers/hallpass.js';
import { TextBrowser } from '../../peers/text-browser.js';
import { connections, post } from '../load.js';
import { ON_PROXY } from './processor.js';
import { NUMBER, RULES } from './tokens.js';

const CALLBACK = 'http://localhost:3/callback';
const CLIENT = { id: 'installed', secret: 'known to the client and the server alone' };

/** A third party where everybody is signed in and says yes; its tokens hold for an hour. */
async function thirdParty(script) {
  let origin;
  const documents = {
    '/.well-known/oauth-authorization-server': () => ({
      issuer: origin,
      authorization_endpoint: `${origin}/authorize`,
      token_endpoint: `${origin}/token`,
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      token_endpoint_auth_methods_supported: ['client_secret_basic'],
    }),
    '/token': () => ({
      access_token: randomBytes(24).toString('base64url'),
      refresh_token: randomBytes(24).toString('base64url'),
      token_type: 'Bearer',
      expires_in: 3600,
      scope: 'files',
    }),
  };
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, origin);
    if (pathname === '/authorize') {
      const back = new URL(searchParams.get('redirect_uri'));
      back.search = new URLSearchParams({ code: 'code', state: searchParams.get('state'), iss: origin });
      response.writeHead(302, { location: back.href }).end();
      return;
    }
    const found = documents[pathname];
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' }).end(found && JSON.stringify(found()));
  });
  await new Promise((listening) => server.listen(0, 'localhost', listening));
  script.after(() => new Promise((closed) => server.close(closed)));
  origin = `http://localhost:${server.address().port}`;
  return origin;
}

/** One person's login, with the leg to the third party. Gives a refresh token. */
async function logIn(hallpass, agent, authorization) {
  const verifier = randomBytes(32).toString('base64url');
  const url = new URL(`${hallpass.issuer}/authorize`);
  url.search = new URLSearchParams({
    client_id: CLIENT.id,
    response_type: 'code',
    redirect_uri: CALLBACK,
    scope: 'notes:read offline_access',
    resource: hallpass.endpoint,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    state: 'state',
  });
  const browser = new TextBrowser();
  await browser.open(url);
  await browser.logIn(ALICE);
  // Between login and consent: to the third party and back.
  const there = await browser.send(/\/acts\//, {});
  await browser.open((await fetch(there, { redirect: 'manual' })).headers.get('location'));
  const left = await browser.send(/name="decision"/, { decision: 'allow' });
  const code = left.searchParams.get('code');
  const form = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier };
  return post(agent, `${hallpass.issuer}/token`, form, { authorization });
}

/** As many tokens as every other candidate has, all of one person. */
export async function delegated(script, { folder, upstream }) {
  const issuer = await thirdParty(script);
  const secret = path.join(folder, 'third-party.secret');
  await writeFile(secret, 'known to both', { mode: 0o600 });
  const hallpass = await Hallpass.serve(script, [], {
    through: ON_PROXY,
    clients: [{ add: ['--id', CLIENT.id, '--redirect-uri', CALLBACK], secret: CLIENT.secret }],
    config: `
      [authorization_server]
      access_token_lifetime = "1h"
      [third_parties.files]
      issuer = "${issuer}"
      client_id = "hallpass"
      secret_file = "${secret}"
      [server]
      upstream = "http://127.0.0.1:${upstream}/mcp"
      [server.delegated.files]
      field = "Authorization"
      scopes = ["files"]
      ${RULES}
    `,
  });
  const agent = connections(1);
  const authorization = `Basic ${Buffer.from(`${CLIENT.id}:${encodeURIComponent(CLIENT.secret)}`).toString('base64')}`;
  let tokens = await logIn(hallpass, agent, authorization);
  const lines = [tokens.access_token];
  while (lines.length < NUMBER) {
    const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
    tokens = await post(agent, `${hallpass.issuer}/token`, form, { authorization });
    lines.push(tokens.access_token);
  }
  agent.destroy();
  const file = path.join(folder, 'delegated.tokens');
  await writeFile(file, lines.join('\n'));
  return { algorithm: 'ES256, delegated', hallpass, tokens: file };
}
