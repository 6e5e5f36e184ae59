// hallpass as the resource server of ten issuers, each with a key of its own: what `external` costs beside `embedded`.

import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { SignJWT, exportJWK, generateKeyPair } from 'jose';

import { Hallpass } from '../../peers/hallpass.js';
import { NUMBER, RULES } from './tokens.js';
import { ON_PROXY } from './processor.js';

const ISSUERS = 10;

/** Ten issuers, of whom there is metadata and a key set and nothing else. */
async function issuers(script) {
  const documents = new Map();
  const server = createServer((request, response) => {
    const found = documents.get(request.url);
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' }).end(found);
  });
  await new Promise((listening) => server.listen(0, 'localhost', listening));
  script.after(() => new Promise((closed) => server.close(closed)));
  const origin = `http://localhost:${server.address().port}`;
  const all = [];
  while (all.length < ISSUERS) {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const [kid, name] = [`key-${all.length}`, `${origin}/${all.length}`];
    const keys = [{ ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }];
    const metadata = { issuer: name, jwks_uri: `${name}/keys`, response_types_supported: ['code'] };
    documents.set(`/.well-known/oauth-authorization-server/${all.length}`, JSON.stringify(metadata));
    documents.set(`/${all.length}/keys`, JSON.stringify({ keys }));
    all.push({ name, kid, privateKey });
  }
  return all;
}

/** As many tokens as every other candidate has, of all ten in turn. */
export async function external(script, { folder, upstream }) {
  const all = await issuers(script);
  const hallpass = await Hallpass.serve(script, [], {
    user: null,
    through: ON_PROXY,
    config: `
      [server]
      upstream = "http://127.0.0.1:${upstream}/mcp"
      arrangement = "external"
      ${RULES}
      ${all.map(({ name }) => `[[server.issuers]]\nissuer = "${name}"\n`).join('')}
    `,
  });
  const token = ({ name, kid, privateKey }) =>
    new SignJWT({ client_id: 'robot', scope: 'notes:read' })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid })
      .setIssuer(name)
      .setSubject('robot')
      .setAudience(hallpass.endpoint)
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(privateKey);
  const lines = [];
  while (lines.length < NUMBER) lines.push(await token(all[lines.length % ISSUERS]));
  const tokens = path.join(folder, 'external.tokens');
  await writeFile(tokens, lines.join('\n'));
  return { algorithm: `ES256, external, ${ISSUERS} issuers`, hallpass, tokens };
}
