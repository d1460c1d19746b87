"""Ports for servers in processes of their own, which must be told theirs before they run."""

import random
import socket
from typing import Final

PORTS: Final = range(20_000, 32_000)
"""Below those that the kernel gives to whoever asks for any: nobody else gets one before the server has begun."""


def free_port() -> int:
    """Of both TCP and UDP on 127.0.0.1."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            try:
                for sock in (stream, datagrams):
                    sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
