"""PyPI's fastmcp as a gateway: a proxy that lets good tokens through to the MCP server behind it."""

import os
from pathlib import Path

from fastmcp.server import create_proxy
from fastmcp.server.auth.providers.jwt import JWTVerifier

auth = JWTVerifier(
    public_key=Path(os.environ["PUBLIC_KEY"]).read_text(),
    issuer=os.environ["ISSUER"],
    audience=os.environ["AUDIENCE"],
    algorithm="ES256",
    required_scopes=["notes:read"],
)

mcp = create_proxy(os.environ["UPSTREAM"], name="gateway", auth=auth)
mcp.run(
    transport="http",
    host="127.0.0.1",
    port=int(os.environ["PORT"]),
    stateless_http=True,
    json_response=True,
    show_banner=False,
    log_level="ERROR",
)
