"""A process that attacks a gateway until it is ended: ``python -m benchmarks.soak.attacker URL ATTACK``."""

import argparse
import contextlib

import trio
from support.attacks import ATTACKS, Attack
from support.gateway import gateway_at
from support.phone import Loopback, open_exchange

ADDRESS = "127.0.0.2"
"""Attackers are other clients than the callers that listen."""
AT_ONCE = 4
PAUSE = 0.05
"""Seconds between two attacks of one attacker."""


class OtherAddress(Loopback):
    """Loopback, from another address of this machine."""

    async def connect(self, host: str, port: int) -> trio.SocketStream:
        """See ``Network``."""
        return await trio.open_tcp_stream(host, port, local_address=ADDRESS)


async def attack_on(attack: Attack, url: str) -> None:
    """Again and again, whatever the gateway says to it."""
    while True:
        with contextlib.suppress(Exception):
            async with open_exchange(gateway_at(url), OtherAddress()) as exchange:
                await attack(exchange)
        await trio.sleep(PAUSE)


async def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("attack", choices=[attack.__name__ for attack in ATTACKS])
    options = parser.parse_args()
    attack = next(attack for attack in ATTACKS if attack.__name__ == options.attack)
    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(attack_on, attack, options.url)


if __name__ == "__main__":
    trio.run(_main)
