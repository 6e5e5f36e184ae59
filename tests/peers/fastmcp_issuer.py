"""An authorization server of PyPI's fastmcp and mcp: their endpoints and their in-memory provider, whose access tokens are
signed for the resource that was asked for, so that a resource server elsewhere can verify them."""

import os
import uuid

import uvicorn
from fastmcp.server.auth.auth import ClientRegistrationOptions, RevocationOptions
from fastmcp.server.auth.providers.in_memory import InMemoryOAuthProvider
from fastmcp.server.auth.providers.jwt import RSAKeyPair
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

port = int(os.environ["PORT"])
lifetime = int(os.environ["LIFETIME"])
issuer = f"http://127.0.0.1:{port}/"
scopes = ["mcp:read", "mcp:write"]
pair = RSAKeyPair.generate()
public = RSAKey.import_key(pair.public_key).as_dict(private=False)


class Signing(InMemoryOAuthProvider):
    """The provider's own grants; what it would hand out as a random text is a JWT."""

    def __init__(self):
        super().__init__(
            base_url=issuer,
            client_registration_options=ClientRegistrationOptions(
                enabled=True, valid_scopes=scopes, default_scopes=scopes
            ),
            revocation_options=RevocationOptions(enabled=True),
        )
        self.resources = {}

    async def authorize(self, client, params):
        self.resources[client.client_id] = params.resource
        return await super().authorize(client, params)

    def signed(self, client, token):
        token.expires_in = lifetime
        token.access_token = pair.create_token(
            subject="alice",
            issuer=issuer,
            audience=str(self.resources[client.client_id]),
            scopes=token.scope.split(),
            expires_in_seconds=lifetime,
            additional_claims={"client_id": client.client_id, "jti": str(uuid.uuid4())},
            kid="one",
        )
        return token

    async def exchange_authorization_code(self, client, authorization_code):
        return self.signed(client, await super().exchange_authorization_code(client, authorization_code))

    async def exchange_refresh_token(self, client, refresh_token, scopes):
        return self.signed(client, await super().exchange_refresh_token(client, refresh_token, scopes))


async def keys(_):
    return JSONResponse({"keys": [{**public, "kid": "one", "use": "sig", "alg": "RS256"}]})


app = Starlette(routes=[*Signing().get_routes(), Route("/jwks", keys)])
uvicorn.run(app, host="127.0.0.1", port=port, log_level="info")
