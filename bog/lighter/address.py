"""Addresses of the venue: what may be contacted, and in what form."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

REST_SCHEME = {"wss": "https", "ws": "http"}


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine by its name or its number; nothing is looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked(url: str, schemes: tuple[str, str]) -> SplitResult:
    """Return the parts of a URL, or raise ValueError saying what would be right.

    `schemes` is the secure one and the plain one; the plain one is for this machine only. A user
    name or a password in a URL is refused: neither is needed, and both would end up in logs.
    """
    secure, plain = schemes
    wanted = f"want {secure}://HOST..., or {plain}:// to this machine"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(wanted) from None
    if not url.isascii() or not url.isprintable() or " " in url or not host or parts.fragment:
        raise ValueError(wanted)
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{wanted}, without a user name or a password")
    if parts.scheme != secure and not (parts.scheme == plain and is_loopback(host)):
        raise ValueError(wanted)
    return parts


def stream_url(url: str) -> str:
    """Return the address of a stream as it is, or raise ValueError."""
    checked(url, ("wss", "ws"))
    return url


def rest_url(url: str) -> str:
    """Return the base of a REST interface without a slash at its end, or raise ValueError."""
    parts = checked(url, ("https", "http"))
    if parts.query:
        raise ValueError("want a base such as https://HOST, without a query")
    return url.rstrip("/")


def rest_beside(stream: str) -> str:
    """Return the base of the REST interface on the host of a stream."""
    parts = checked(stream, ("wss", "ws"))
    return f"{REST_SCHEME[parts.scheme]}://{parts.netloc}"
