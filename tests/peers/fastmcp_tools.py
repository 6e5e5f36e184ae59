"""An MCP server of PyPI's fastmcp with something of every kind, over stdio or, with a port, over HTTP."""

import asyncio
import os

from fastmcp import Context, FastMCP

mcp = FastMCP("fastmcp")


@mcp.tool
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@mcp.tool
async def count(to: int, ctx: Context) -> str:
    """Counts, and says how far it is."""
    for number in range(1, to + 1):
        await ctx.report_progress(number, to)
        # Clients drop a step that arrives together with the answer.
        await asyncio.sleep(0.05)
    return f"counted to {to}"


@mcp.tool
def fail() -> str:
    """Fails."""
    raise ValueError("it always does")


@mcp.resource("text://greeting")
def greeting() -> str:
    """A text."""
    return "Grüße, 世界"


@mcp.prompt
def ask(topic: str) -> str:
    """A question."""
    return f"What is {topic}?"


if "PORT" in os.environ:
    mcp.run(transport="http", host="127.0.0.1", port=int(os.environ["PORT"]), show_banner=False)
else:
    mcp.run(show_banner=False)
