"""An MCP server of PyPI's fastmcp whose OAuth proxy fronts an authorization server that registers nobody."""

import os

from fastmcp import FastMCP
from fastmcp.server.auth import OAuthProxy
from fastmcp.server.auth.providers.jwt import JWTVerifier
from fastmcp.server.dependencies import get_access_token

issuer = os.environ["UPSTREAM"]
port = int(os.environ["PORT"])
base_url = f"http://127.0.0.1:{port}"

auth = OAuthProxy(
    upstream_authorization_endpoint=f"{issuer}/auth",
    upstream_token_endpoint=f"{issuer}/token",
    upstream_client_id=os.environ["UPSTREAM_CLIENT_ID"],
    upstream_client_secret=os.environ["UPSTREAM_CLIENT_SECRET"],
    token_verifier=JWTVerifier(
        jwks_uri=f"{issuer}/jwks",
        issuer=issuer,
        audience=f"{base_url}/mcp",
        algorithm="ES256",
        required_scopes=["mcp:read"],
    ),
    base_url=base_url,
)

mcp = FastMCP("fastmcp", auth=auth)


@mcp.tool
def whoami() -> str:
    """Who you are, as the upstream's token says."""
    token = get_access_token()
    return token.claims["sub"] if token else "nobody"


mcp.run(transport="http", host="127.0.0.1", port=port, show_banner=False)
