// `oauth4webapi`, a certified client, against hallpass's authorization server: every answer is judged by its checks.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as oauth from 'oauth4webapi';

import { AuthorizationServer, CALLBACK, DATABASES, SECRET } from '../peers/authorization-server.js';
import { MCP_HEADERS, PING } from '../peers/upstream.js';

/** Tests are on this machine, without TLS. */
const INSECURE = { [oauth.allowInsecureRequests]: true };
const INSTALLED = { client_id: 'installed' };
const SITE = { client_id: 'site' };
const ROBOT = { client_id: 'robot' };
const BACKEND = { client_id: 'backend' };
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const DEVICE_CODE_PAUSE = /authorization_pending/;

for (const database of DATABASES) {
  test(`oauth4webapi against hallpass on ${database}`, { timeout: 180_000 }, async (t) => {
    const server = await AuthorizationServer.on(t, database);
    const basic = oauth.ClientSecretBasic(SECRET);
    let as;

    /** The front channel: request, person, answer. `pushed` takes the parameters to the server first. */
    async function authorize(client, { push, ...extra } = {}) {
      const verifier = oauth.generateRandomCodeVerifier();
      const state = oauth.generateRandomState();
      let parameters = {
        client_id: client.client_id,
        response_type: 'code',
        redirect_uri: CALLBACK,
        scope: 'notes:read offline_access',
        resource: server.resource,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        state,
        ...extra,
      };
      if (push) parameters = { client_id: client.client_id, request_uri: await push(parameters) };
      const url = new URL(as.authorization_endpoint);
      url.search = new URLSearchParams(parameters);
      const answer = await server.allow(url);
      return { callback: oauth.validateAuthResponse(as, client, answer, state), verifier };
    }

    /** The back channel. With DPoP, the server asks for its nonce first. */
    async function redeem(client, authentication, { callback, verifier }, options = {}) {
      return withNonce(async () => {
        const answer = await oauth.authorizationCodeGrantRequest(as, client, authentication, callback, CALLBACK, verifier, {
          ...INSECURE,
          ...options,
        });
        return oauth.processAuthorizationCodeResponse(as, client, answer);
      }, options);
    }

    async function refresh(client, authentication, token, options = {}) {
      return withNonce(async () => {
        const answer = await oauth.refreshTokenGrantRequest(as, client, authentication, token, { ...INSECURE, ...options });
        return oauth.processRefreshTokenResponse(as, client, answer);
      }, options);
    }

    async function clientCredentials(client, authentication, options = {}) {
      return withNonce(async () => {
        const asked = { scope: 'notes:read', resource: server.resource };
        const answer = await oauth.clientCredentialsGrantRequest(as, client, authentication, asked, { ...INSECURE, ...options });
        return oauth.processClientCredentialsResponse(as, client, answer);
      }, options);
    }

    /** Sends the request once more where a nonce was asked for, which the handle has remembered. */
    async function withNonce(request, { DPoP }) {
      try {
        return await request();
      } catch (error) {
        if (!DPoP || !oauth.isDPoPNonceError(error)) throw error;
        return request();
      }
    }

    async function introspect(client, authentication, token) {
      const answer = await oauth.introspectionRequest(as, client, authentication, token, INSECURE);
      return oauth.processIntrospectionResponse(as, client, answer);
    }

    async function revoke(client, authentication, token) {
      const answer = await oauth.revocationRequest(as, client, authentication, token, INSECURE);
      await oauth.processRevocationResponse(answer);
    }

    /** What a resource server of others thinks of the token. */
    async function judge(token, scheme = 'Bearer', headers = {}) {
      const request = new Request(server.resource, { headers: { authorization: `${scheme} ${token}`, ...headers } });
      return oauth.validateJwtAccessToken(as, request, server.resource, INSECURE);
    }

    /** What hallpass tells the server behind it about the caller. */
    async function call(token, options = {}) {
      return withNonce(async () => {
        const url = new URL(server.resource);
        const answer = await oauth.protectedResourceRequest(token, PING.method, url, new Headers(MCP_HEADERS), PING.body, {
          ...INSECURE,
          ...options,
        });
        assert.equal(answer.status, 200);
        return (await answer.json()).result;
      }, options);
    }

    const refused = (error) => (thrown) => {
      assert.equal(thrown.error, error, thrown.stack);
      return true;
    };

    for (const algorithm of ['oauth2', 'oidc']) {
      await t.test(`discovery, ${algorithm}`, async () => {
        const answer = await oauth.discoveryRequest(server.issuer, { algorithm, ...INSECURE });
        as = await oauth.processDiscoveryResponse(server.issuer, answer);
        assert.equal(as.authorization_response_iss_parameter_supported, true);
        assert.deepEqual(as.code_challenge_methods_supported, ['S256']);
      });
    }

    await t.test('metadata of the protected resource', async () => {
      const url = new URL(server.resource);
      const resource = await oauth.processResourceDiscoveryResponse(url, await oauth.resourceDiscoveryRequest(url, INSECURE));
      assert.deepEqual(resource.authorization_servers, [server.hallpass.issuer]);
    });

    let tokens;
    await t.test('code with PKCE, and a token that is a JWT access token (RFC 9068)', async () => {
      tokens = await redeem(INSTALLED, oauth.None(), await authorize(INSTALLED));
      const claims = await judge(tokens.access_token);
      assert.equal(claims.client_id, 'installed');
      assert.equal(claims.aud, server.resource);
      assert.equal(claims.scope, 'notes:read');
      const caller = await call(tokens.access_token);
      assert.equal(caller.subject, claims.sub);
    });

    await t.test('a code redeems once', async () => {
      const answer = await authorize(INSTALLED);
      const first = await redeem(INSTALLED, oauth.None(), answer);
      await assert.rejects(redeem(INSTALLED, oauth.None(), answer), refused('invalid_grant'));
      await assert.rejects(refresh(INSTALLED, oauth.None(), first.refresh_token), refused('invalid_grant'));
    });

    await t.test('a code with another verifier', async () => {
      const { callback } = await authorize(INSTALLED);
      const answer = { callback, verifier: oauth.generateRandomCodeVerifier() };
      await assert.rejects(redeem(INSTALLED, oauth.None(), answer), refused('invalid_grant'));
    });

    await t.test('refresh tokens take turns', async () => {
      const next = await refresh(INSTALLED, oauth.None(), tokens.refresh_token);
      assert.notEqual(next.refresh_token, tokens.refresh_token);
      assert.equal((await judge(next.access_token)).client_id, 'installed');
      tokens = next;
    });

    const ways = { client_secret_basic: [SITE, basic], client_secret_post: [SITE, oauth.ClientSecretPost(SECRET)] };
    ways.private_key_jwt = [ROBOT, oauth.PrivateKeyJwt(server.keys.privateKey)];
    for (const [way, [client, authentication]] of Object.entries(ways)) {
      await t.test(`client_credentials, ${way}`, async () => {
        const { access_token: token } = await clientCredentials(client, authentication);
        const claims = await judge(token);
        assert.equal(claims.sub, client.client_id);
        const asked = await introspect(client, authentication, token);
        assert.equal(asked.active, true);
        assert.equal(asked.client_id, client.client_id);
      });
    }

    await t.test('client_credentials with a wrong secret', async () => {
      const wrong = clientCredentials(SITE, oauth.ClientSecretBasic('guess'));
      // The Basic challenge of the answer is what the client reports.
      await assert.rejects(wrong, (thrown) => thrown.status === 401 && thrown.cause?.[0]?.scheme === 'basic');
    });

    await t.test('code and refresh, private_key_jwt', async () => {
      const authentication = oauth.PrivateKeyJwt(server.keys.privateKey);
      const granted = await redeem(ROBOT, authentication, await authorize(ROBOT));
      await refresh(ROBOT, authentication, granted.refresh_token);
    });

    await t.test('an assertion that is replayed', async () => {
      const { jti } = { jti: crypto.randomUUID() };
      const same = oauth.PrivateKeyJwt(server.keys.privateKey, {
        [oauth.modifyAssertion]: (_, payload) => {
          payload.jti = jti;
        },
      });
      await clientCredentials(ROBOT, same);
      await assert.rejects(clientCredentials(ROBOT, same), refused('invalid_client'));
    });

    await t.test('DPoP with nonces of both servers', async () => {
      const DPoP = oauth.DPoP(INSTALLED, await oauth.generateKeyPair('ES256'));
      const thumbprint = await DPoP.calculateThumbprint();
      const granted = await redeem(INSTALLED, oauth.None(), await authorize(INSTALLED, { dpop_jkt: thumbprint }), { DPoP });
      assert.equal(granted.token_type, 'dpop');
      const caller = await call(granted.access_token, { DPoP });
      assert.equal(caller.client, 'installed');
      await assert.rejects(call(granted.access_token), (thrown) => thrown.status === 401, 'a bound token as Bearer');
      const next = await refresh(INSTALLED, oauth.None(), granted.refresh_token, { DPoP });
      const other = oauth.DPoP(INSTALLED, await oauth.generateKeyPair('ES256'));
      const stolen = refresh(INSTALLED, oauth.None(), next.refresh_token, { DPoP: other });
      await assert.rejects(stolen, refused('invalid_grant'));
      // The library's own judgement of token and proof: the request that its handle would send.
      const seen = await proofFor(DPoP, next.access_token);
      assert.equal((await judge(next.access_token, 'DPoP', { dpop: seen })).cnf.jkt, thumbprint);
    });

    /** A proof as the handle makes it, caught before it is sent. */
    async function proofFor(DPoP, token) {
      let proof;
      await oauth.protectedResourceRequest(token, 'GET', new URL(server.resource), undefined, undefined, {
        ...INSECURE,
        DPoP,
        [oauth.customFetch]: async (_, { headers }) => {
          proof = headers.dpop ?? new Headers(headers).get('dpop');
          return new Response();
        },
      });
      return proof;
    }

    await t.test('DPoP for a client itself', async () => {
      const DPoP = oauth.DPoP(SITE, await oauth.generateKeyPair('ES256'));
      const granted = await clientCredentials(SITE, basic, { DPoP });
      assert.equal((await call(granted.access_token, { DPoP })).client, 'site');
    });

    await t.test('PAR', async () => {
      let uri;
      const push = async (parameters) => {
        const answer = await oauth.pushedAuthorizationRequest(as, SITE, basic, parameters, INSECURE);
        uri = (await oauth.processPushedAuthorizationResponse(as, SITE, answer)).request_uri;
        return uri;
      };
      const granted = await redeem(SITE, basic, await authorize(SITE, { push }));
      assert.equal((await judge(granted.access_token)).client_id, 'site');
      const again = new URL(as.authorization_endpoint);
      again.search = new URLSearchParams({ client_id: 'site', request_uri: uri });
      await assert.rejects(server.allow(again), /answered 400/, 'a request that was pushed is used once');
    });

    await t.test('device flow', async () => {
      const begun = await oauth.deviceAuthorizationRequest(
        as,
        INSTALLED,
        oauth.None(),
        { scope: 'notes:read', resource: server.resource },
        INSECURE,
      );
      const device = await oauth.processDeviceAuthorizationResponse(as, INSTALLED, begun);
      const ask = async () => {
        const answer = await oauth.deviceCodeGrantRequest(as, INSTALLED, oauth.None(), device.device_code, INSECURE);
        return oauth.processDeviceCodeResponse(as, INSTALLED, answer);
      };
      await assert.rejects(ask(), (thrown) => DEVICE_CODE_PAUSE.test(thrown.error));
      await assert.rejects(ask(), refused('slow_down'));
      await server.allowDevice(device.verification_uri, device.user_code);
      // Longer than the pause was before, and than `slow_down` made it (RFC 8628 §3.5).
      await new Promise((resolve) => setTimeout(resolve, (device.interval + 6) * 1000));
      assert.equal((await judge((await ask()).access_token)).client_id, 'installed');
    });

    await t.test('revocation, and what introspection says of it', async () => {
      const granted = await redeem(SITE, basic, await authorize(SITE));
      for (const token of [granted.access_token, granted.refresh_token]) {
        assert.equal((await introspect(SITE, basic, token)).active, true);
      }
      await revoke(SITE, basic, granted.refresh_token);
      for (const token of [granted.access_token, granted.refresh_token]) {
        assert.deepEqual(await introspect(SITE, basic, token), { active: false });
      }
      await assert.rejects(refresh(SITE, basic, granted.refresh_token), refused('invalid_grant'));
      await assert.rejects(call(granted.access_token), (thrown) => thrown.status === 401);
    });

    await t.test('token exchange (RFC 8693), and what introspection says of it', async () => {
      const exchange = async (client, token, more = {}) => {
        const parameters = { subject_token: token, subject_token_type: ACCESS_TOKEN, resource: server.resource, ...more };
        const answer = await oauth.genericTokenEndpointRequest(as, client, basic, TOKEN_EXCHANGE, parameters, INSECURE);
        return oauth.processGenericTokenEndpointResponse(as, client, answer);
      };
      const granted = await redeem(INSTALLED, oauth.None(), await authorize(INSTALLED));
      const exchanged = await exchange(BACKEND, granted.access_token);
      assert.equal(exchanged.issued_token_type, ACCESS_TOKEN);
      assert.equal(exchanged.refresh_token, undefined);
      const [before, after] = [await judge(granted.access_token), await judge(exchanged.access_token)];
      assert.deepEqual([after.sub, after.client_id, after.scope], [before.sub, 'backend', 'notes:read']);
      assert.deepEqual(after.act, { sub: 'backend' });
      const again = await judge((await exchange(BACKEND, exchanged.access_token)).access_token);
      assert.deepEqual(again.act, { sub: 'backend', act: { sub: 'backend' } });
      const told = await introspect(BACKEND, basic, exchanged.access_token);
      assert.deepEqual([told.active, told.sub, told.act], [true, before.sub, after.act]);
      await assert.rejects(exchange(SITE, granted.access_token), refused('unauthorized_client'));
      await assert.rejects(exchange(BACKEND, granted.access_token, { scope: 'notes:write' }), refused('invalid_scope'));
      await assert.rejects(exchange(BACKEND, granted.refresh_token), refused('invalid_grant'));
      await revoke(INSTALLED, oauth.None(), granted.refresh_token);
      assert.deepEqual(await introspect(BACKEND, basic, exchanged.access_token), { active: false });
      await assert.rejects(exchange(BACKEND, granted.access_token), refused('invalid_grant'));
    });

    await t.test('registration (RFC 7591)', async () => {
      const asked = { redirect_uris: [CALLBACK], client_name: 'Stranger', token_endpoint_auth_method: 'none' };
      const answer = await oauth.dynamicClientRegistrationRequest(as, asked, INSECURE);
      const client = await oauth.processDynamicClientRegistrationResponse(answer);
      await redeem(client, oauth.None(), await authorize(client, { scope: 'notes:read' }));
    });
  });
}
