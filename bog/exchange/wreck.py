"""How an HTTP answer, or that of a transaction on a socket, is spoiled."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
from typing import TYPE_CHECKING, Any

from aiohttp import web

from bog.exchange.faults import Fault, changed
from bog.exchange.refusal import MESSAGES

if TYPE_CHECKING:
    from bog.exchange.socket import Connection

Json = dict[str, Any]
FOREVER_S = 86_400.0
CHUNK = bytes(1 << 20)
PAGE = "<html><head><title>{0} error</title></head><body><h1>{0}</h1></body></html>"
OTHER_HASH = "f" * 80
HOSTILE = {
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "utf8": b'{"code":200,"message":"\xff\xfe\xc0"}',
    "number": b'{"code":1e400,"nonce":NaN,"tx_hash":Infinity}',
    "twice": b'{"code":500,"code":200,"nonce":1,"nonce":999999,"tx_hash":""}',
    "types": b'{"code":"200","nonce":"7","tx_hash":7,"orders":{},"accounts":"none"}',
}


def reset(transport: Any) -> None:
    """Send a TCP reset instead of an orderly end, where there is still a socket."""
    if transport is None:
        return
    found = transport.get_extra_info("socket")
    if found is not None and found.fileno() >= 0:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def answer(request: web.Request, fault: Fault, body: Json | None) -> web.StreamResponse:
    """Return the spoiled answer; `body` is the true one when the request was carried out."""
    what, do = fault.what, fault.do
    status = int(what.get("status", 500))
    text = json.dumps(body if body is not None else {"code": 200})
    if do == "reset":
        reset(request.transport)
    elif do == "close" and request.transport is not None:
        request.transport.close()
    elif do == "hang":
        await asyncio.sleep(float(what.get("seconds", FOREVER_S)))
    elif do == "slow":
        return await drip(request, text.encode(), float(what.get("seconds", 1)))
    elif do == "half":
        return await half(request, text.encode())
    elif do == "huge":
        return await huge(request, int(what.get("mib", 64)))
    simple = simple_answer(do, status, what, body)
    if simple is not None:
        return simple
    raise ConnectionResetError


def simple_answer(do: str, status: int, what: Json, body: Json | None) -> web.Response | None:
    """Return an answer that is only wrong in what it says, None for the others."""
    if do == "status":
        code = int(what.get("code", 29500))
        message = what.get("message", MESSAGES.get(code, "error"))
        return web.json_response({"code": code, "message": message}, status=status)
    if do == "html":
        return web.Response(text=PAGE.format(status), status=status, content_type="text/html")
    if do == "empty":
        return web.Response(status=status)
    if do == "redirect":
        return web.Response(status=int(what.get("status", 302)),
                            headers={"Location": what.get("to", "http://127.0.0.1:1/")})  # fmt: skip
    if do == "swap":
        return web.json_response({**(body or {}), "tx_hash": OTHER_HASH})
    if do == "set":
        return web.json_response(changed(body or {}, what.get("values", {})))
    if do == "bomb":
        packed = gzip.compress(bytes(int(what.get("mib", 64)) << 20))
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"},
                            content_type="application/json")  # fmt: skip
    if do in HOSTILE:
        return web.Response(body=HOSTILE[do], content_type="application/json")
    return None


async def drip(request: web.Request, body: bytes, seconds: float) -> web.StreamResponse:
    """Send a byte, wait, send a byte."""
    response = web.StreamResponse(headers={"Content-Length": str(len(body)),
                                           "Content-Type": "application/json"})  # fmt: skip
    await response.prepare(request)
    for at in range(len(body)):
        await response.write(body[at : at + 1])
        await asyncio.sleep(seconds)
    return response


async def half(request: web.Request, body: bytes) -> web.StreamResponse:
    """Send half of the answer, then nothing."""
    response = web.StreamResponse(headers={"Content-Length": str(len(body)),
                                           "Content-Type": "application/json"})  # fmt: skip
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    await asyncio.sleep(FOREVER_S)
    return response


async def huge(request: web.Request, mib: int) -> web.StreamResponse:
    """Send far too much."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"code":200,"message":"')
    for _ in range(mib):
        await response.write(CHUNK.replace(b"\0", b"x"))
    await response.write(b'"}')
    return response


async def on_socket(connection: Connection, fault: Fault, echo: Json, told: Json | None) -> bool:
    """Spoil the answer of a transaction on a socket; return False to answer as if nothing were."""
    what, do = fault.what, fault.do
    code = int(what.get("code", 29500))
    error = {"code": code, "message": what.get("message", MESSAGES.get(code, "error"))}
    if do == "error":
        connection.send({"error": error, **echo})
    elif do == "anonymous":
        connection.send({"error": error})
    elif do == "reset":
        connection.abort()
    elif do == "close":
        await connection.ws.close()
    elif do == "swap" and told is not None:
        connection.send({**told, "tx_hash": OTHER_HASH})
    elif do == "delay":
        await asyncio.sleep(float(what.get("seconds", 1)))
        return False
    return True
