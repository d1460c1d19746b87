"""Reads the answers of the common services: each has a list of W3C's ``RTCIceServer`` somewhere."""

from collections.abc import Iterator
from typing import Any

import msgspec
from glottis import IceServer


def read_ice_servers(body: bytes) -> list[IceServer]:
    """The servers of a JSON document, those left out that no browser takes. Raises ``ValueError`` if there are none.

    The document is a list of servers, or an object with that list, or a single server, as ``iceServers`` or
    ``ice_servers``, perhaps within ``v`` or ``d``. A server has ``urls`` or ``url``, one or a list.
    """
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise ValueError("expected JSON") from None
    listed = _listed(document)
    if listed is None:
        raise ValueError("expected a list of servers, or an object with iceServers")
    servers = list(_usable(listed))
    if listed and not servers:
        raise ValueError("expected servers with urls, and TURN servers with username and credential")
    return servers


def _listed(document: Any) -> list[Any] | None:
    if isinstance(document, dict):
        for wrapper in ("v", "d"):
            if isinstance(document.get(wrapper), dict):
                document = document[wrapper]
        document = document.get("iceServers", document.get("ice_servers"))
    if isinstance(document, dict):
        return [document]
    return document if isinstance(document, list) else None


def _usable(listed: list[Any]) -> Iterator[IceServer]:
    for item in listed:
        if not isinstance(item, dict):
            continue
        urls = item.get("urls", item.get("url"))
        urls = (urls,) if isinstance(urls, str) else tuple(urls) if isinstance(urls, list) else ()
        server = IceServer(urls, item.get("username"), item.get("credential"))
        try:
            server.check()
        except ValueError:
            continue
        yield server
