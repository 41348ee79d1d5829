#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two-tool MCP server on stdio (`get-weather`, `pic`), to give Codex a namespace tool."""

import json
import sys

# A PNG of one pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
TOOLS = [
    {
        "name": "get-weather",
        "description": "Weather of a city",
        "inputSchema": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
    {
        "name": "pic",
        "description": "returns an image",
        "inputSchema": {"type": "object", "properties": {}},
    },
]


def call(params):
    if params["name"] == "get-weather":
        return [{"type": "text", "text": "sunny in " + str(params.get("arguments"))}]
    return [
        {"type": "text", "text": "a picture"},
        {"type": "image", "data": PIXEL, "mimeType": "image/png"},
    ]


def result(method, params):
    if method == "initialize":
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "weather", "version": "1"},
        }
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call":
        return {"content": call(params)}
    return {}


for line in sys.stdin:
    message = json.loads(line)
    if message.get("id") is not None:
        answer = result(message.get("method"), message.get("params") or {})
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": answer}), flush=True)
