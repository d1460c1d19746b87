"""Networks of real kernels: namespaces joined by cables, with nftables between them. Needs root.

``public`` is one network for all that have public addresses; routers translate to it from networks of their own.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

Kind = Literal["full cone", "address-restricted", "port-restricted", "symmetric"]
"""What a translator remembers and lets in (RFC 3489 §5, in the words that people still use)."""

PUBLIC: Final = "public"
_FILES: Final = Path("/etc/netns")
"""What is in a folder here that has the name of a namespace stands before ``/etc`` for commands in it."""
_MAPPINGS: Final = {
    "full cone": "masquerade",
    "address-restricted": "masquerade",
    "port-restricted": "masquerade",
    "symmetric": "masquerade fully-random",
}
_OPENINGS: Final = {
    "full cone": 'iifname "wan" udp dport 1024-65535 dnat to {host}',
    "address-restricted": 'iifname "wan" ip saddr @asked udp dport 1024-65535 dnat to {host}',
    "port-restricted": "",
    "symmetric": "",
}
_TRANSLATOR: Final = """
table ip nat {{
    set asked {{ type ipv4_addr; flags dynamic; size 1024; timeout 5m; }}
    chain forward {{
        type filter hook forward priority 0;
        oifname "wan" meta l4proto udp add @asked {{ ip daddr }}
    }}
    chain prerouting {{
        type nat hook prerouting priority -100;
        {ports}
        {opening}
    }}
    chain postrouting {{
        type nat hook postrouting priority 100;
        {hairpin}
        oifname "wan" {mapping};
    }}
    chain input {{
        type filter hook input priority 0;
        iifname "wan" meta l4proto udp drop
    }}
}}
"""


class Internet:
    """Made by ``open_internet``. Names of namespaces and devices are short, and unique to this process."""

    def __init__(self) -> None:
        self._spaces: list[str] = []
        self._cables = 0

    def command(self, space: str) -> list[str]:
        """What to put before a command that is to run there."""
        return ["ip", "netns", "exec", self._name(space)]

    def add_space(self, space: str) -> None:
        """A machine without cables."""
        self._spaces.append(space)
        _run("ip", "netns", "add", self._name(space))
        self.ip(space, "link set lo up")

    def add_switch(self, space: str, *addresses: str) -> None:
        """A network, with addresses of its own in that space."""
        self.ip(space, "link add lan type bridge")
        for address in addresses:
            self.ip(space, f"addr add {address} dev lan{_at_once(address)}")
        self.ip(space, "link set lan up")

    def connect(self, space: str, device: str, network: str, *addresses: str, gateway: str = "") -> None:
        """A cable from a machine to the switch of another space."""
        self._cables += 1
        port = f"p{self._cables}"
        ends = (self._name(space), self._name(network))
        _run("ip", "link", "add", device, "netns", ends[0], "type", "veth", "peer", "name", port, "netns", ends[1])
        self.ip(network, f"link set {port} master lan up")
        for address in addresses:
            self.ip(space, f"addr add {address} dev {device}{_at_once(address)}")
        self.ip(space, f"link set {device} up")
        if gateway:
            self.ip(space, f"route add default via {gateway}")

    def add_router(
        self, space: str, public: str, lan: str, kind: Kind, host: str, *ports: str, hairpin: bool = False
    ) -> None:
        """A translator between the public network and one of its own, where it is the first address.

        ``ports`` (``tcp dport 8080``) are passed on to ``host``, for those within, too, if there is a ``hairpin``.
        """
        self.add_space(space)
        self.add_switch(space, f"{lan}.1/24")
        self.connect(space, "wan", PUBLIC, f"{public}/24")
        self.run(space, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        rules = _TRANSLATOR.format(
            ports="\n".join(f"ip daddr {public} {port} dnat to {host}" for port in ports),
            opening=_OPENINGS[kind].format(host=host),
            mapping=_MAPPINGS[kind],
            hairpin=f"ip saddr {lan}.0/24 ip daddr {lan}.0/24 masquerade" if hairpin else "",
        )
        self.load(space, rules)

    def ip(self, space: str, arguments: str) -> None:
        """``ip`` in that space."""
        _run("ip", "-n", self._name(space), *arguments.split())

    def load(self, space: str, rules: str) -> None:
        """nftables in that space."""
        self.run(space, "nft", "-f", "-", text=rules)

    def add_name(self, space: str, name: str, *addresses: str) -> None:
        """What a machine there finds if it looks up that name; for commands that begin later."""
        folder = _FILES / self._name(space)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "hosts").open("a") as hosts:
            hosts.writelines(f"{address} {name}\n" for address in addresses)

    def run(self, space: str, *command: str, text: str = "") -> None:
        """Something short in that space."""
        _run(*self.command(space), *command, text=text)

    def close(self) -> None:
        for space in self._spaces:
            subprocess.run(["ip", "netns", "del", self._name(space)], check=False, capture_output=True)
            shutil.rmtree(_FILES / self._name(space), ignore_errors=True)

    def _name(self, space: str) -> str:
        return f"glottis{os.getpid()}{space}"


@contextmanager
def open_internet() -> Iterator[Internet]:
    """With nothing but the public network."""
    internet = Internet()
    try:
        internet.add_space(PUBLIC)
        internet.add_switch(PUBLIC, "203.0.113.3/24", "2001:db8::3/64")
        yield internet
    finally:
        internet.close()


def _at_once(address: str) -> str:
    """Without a look for others that have it (RFC 4862 §5.4)."""
    return " nodad" if ":" in address else ""


def _run(*command: str, text: str = "") -> None:
    done = subprocess.run(command, check=False, capture_output=True, input=text, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
