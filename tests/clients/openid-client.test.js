// `openid-client`, a certified client, against hallpass's authorization server, used as an application uses it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as client from 'openid-client';

import { AuthorizationServer, CALLBACK, DATABASES, SECRET } from '../peers/authorization-server.js';
import { MCP_HEADERS, PING } from '../peers/upstream.js';

for (const database of DATABASES) {
  test(`openid-client against hallpass on ${database}`, { timeout: 180_000 }, async (t) => {
    const server = await AuthorizationServer.on(t, database);

    /** What the application knows after discovery. Tests are on this machine, without TLS. */
    function discover(id, authentication, algorithm = 'oauth2') {
      return client.discovery(server.issuer, id, undefined, authentication, {
        algorithm,
        execute: [client.allowInsecureRequests],
      });
    }

    const installed = () => discover('installed', client.None());
    const site = () => discover('site', client.ClientSecretBasic(SECRET));
    const robot = () => discover('robot', client.PrivateKeyJwt(server.keys.privateKey));

    /** Authorization request, person, answer, tokens. */
    async function logIn(config, { push = false, options, ...extra } = {}) {
      const pkceCodeVerifier = client.randomPKCECodeVerifier();
      const expectedState = client.randomState();
      const parameters = {
        redirect_uri: CALLBACK,
        scope: 'notes:read offline_access',
        resource: server.resource,
        code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: 'S256',
        state: expectedState,
        ...extra,
      };
      const url = push
        ? await client.buildAuthorizationUrlWithPAR(config, parameters, options)
        : client.buildAuthorizationUrl(config, parameters);
      const answer = await server.allow(url);
      const redeem = () => client.authorizationCodeGrant(config, answer, { pkceCodeVerifier, expectedState }, undefined, options);
      return { url, redeem, tokens: await redeem() };
    }

    /** What hallpass tells the server behind it about the caller. */
    async function call(config, token, options) {
      const url = new URL(server.resource);
      const headers = new Headers(MCP_HEADERS);
      const answer = await client.fetchProtectedResource(config, token, url, PING.method, PING.body, headers, options);
      assert.equal(answer.status, 200);
      return (await answer.json()).result;
    }

    const refused = (error) => (thrown) => {
      assert.equal(thrown.error, error, thrown.stack);
      return true;
    };
    const unauthorized = (thrown) => thrown.status === 401 || thrown.cause?.status === 401;

    for (const algorithm of ['oauth2', 'oidc']) {
      await t.test(`discovery, ${algorithm}`, async () => {
        const metadata = (await discover('installed', client.None(), algorithm)).serverMetadata();
        assert.equal(metadata.issuer, server.hallpass.issuer);
        assert.ok(metadata.supportsPKCE());
      });
    }

    await t.test('code with PKCE, refresh, a code that is replayed', async () => {
      const config = await installed();
      const { redeem, tokens } = await logIn(config);
      assert.equal((await call(config, tokens.access_token)).client, 'installed');
      const next = await client.refreshTokenGrant(config, tokens.refresh_token);
      assert.notEqual(next.refresh_token, tokens.refresh_token);
      assert.equal((await call(config, next.access_token)).client, 'installed');
      await assert.rejects(redeem(), refused('invalid_grant'));
      await assert.rejects(client.refreshTokenGrant(config, next.refresh_token), refused('invalid_grant'));
      await assert.rejects(call(config, next.access_token), unauthorized);
    });

    const ways = {
      client_secret_basic: ['site', client.ClientSecretBasic(SECRET)],
      client_secret_post: ['site', client.ClientSecretPost(SECRET)],
      private_key_jwt: ['robot', client.PrivateKeyJwt(server.keys.privateKey)],
    };
    for (const [way, [id, authentication]] of Object.entries(ways)) {
      await t.test(`client_credentials, ${way}`, async () => {
        const config = await discover(id, authentication);
        const tokens = await client.clientCredentialsGrant(config, { scope: 'notes:read', resource: server.resource });
        // RFC 6749 §5.1 counts from the answer: a second may have ended since the token was made.
        assert.ok(tokens.expires_in > 590 && tokens.expires_in <= 600, `${tokens.expires_in}`);
        assert.equal((await call(config, tokens.access_token)).subject, id);
        const said = await client.tokenIntrospection(config, tokens.access_token);
        assert.equal(said.active, true);
        assert.equal(said.scope, 'notes:read');
      });
    }

    await t.test('code and refresh, private_key_jwt', async () => {
      const config = await robot();
      const { tokens } = await logIn(config);
      await client.refreshTokenGrant(config, tokens.refresh_token);
    });

    await t.test('DPoP with nonces of both servers', async () => {
      const config = await installed();
      const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair());
      const { tokens } = await logIn(config, { options: { DPoP } });
      assert.equal(tokens.token_type, 'dpop');
      const next = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
      assert.equal((await call(config, next.access_token, { DPoP })).client, 'installed');
      await assert.rejects(call(config, next.access_token), unauthorized, 'a bound token as Bearer');
      const other = client.getDPoPHandle(config, await client.randomDPoPKeyPair());
      await assert.rejects(call(config, next.access_token, { DPoP: other }), unauthorized, 'a key that it is not bound to');
    });

    await t.test('PAR, without and with DPoP', async () => {
      const config = await site();
      for (const options of [undefined, { DPoP: client.getDPoPHandle(config, await client.randomDPoPKeyPair()) }]) {
        const { url, tokens } = await logIn(config, { push: true, options });
        assert.deepEqual([...url.searchParams.keys()].sort(), ['client_id', 'request_uri']);
        assert.equal((await call(config, tokens.access_token, options)).client, 'site');
      }
    });

    await t.test('device flow', async () => {
      const config = await installed();
      const device = await client.initiateDeviceAuthorization(config, { scope: 'notes:read', resource: server.resource });
      await server.allowDevice(device.verification_uri_complete);
      const tokens = await client.pollDeviceAuthorizationGrant(config, device);
      assert.equal((await call(config, tokens.access_token)).client, 'installed');
    });

    await t.test('revocation, and what introspection says of it', async () => {
      const config = await site();
      const { tokens } = await logIn(config);
      assert.equal((await client.tokenIntrospection(config, tokens.access_token)).active, true);
      await client.tokenRevocation(config, tokens.access_token);
      assert.equal((await client.tokenIntrospection(config, tokens.access_token)).active, false);
      await assert.rejects(call(config, tokens.access_token), unauthorized);
      await client.tokenRevocation(config, tokens.refresh_token);
      await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), refused('invalid_grant'));
    });

    await t.test('registration (RFC 7591), as a client that has a secret', async () => {
      const asked = { redirect_uris: [CALLBACK], client_name: 'Stranger', token_endpoint_auth_method: 'client_secret_post' };
      const config = await client.dynamicClientRegistration(server.issuer, asked, undefined, {
        algorithm: 'oauth2',
        execute: [client.allowInsecureRequests],
      });
      await logIn(config, { scope: 'notes:read' });
    });
  });
}
