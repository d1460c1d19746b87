"""A TURN server on a virtual network: a test double of coturn, as strict as it, and as odd as a test wants it to be."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from glottis.wire.address import Address, Datagram, Path
from glottis.wire.channel_data import build_channel_data, parse_channel_data_untrusted
from glottis.wire.demux import PacketKind, classify
from glottis.wire.stun import (
    Attribute,
    MessageClass,
    StunMessage,
    build_stun,
    encode_error_code,
    encode_xor_address,
    parse_stun_untrusted,
)

ALLOCATE, REFRESH, SEND, DATA, CREATE_PERMISSION, CHANNEL_BIND = 3, 4, 6, 7, 8, 9
SHA256_ONLY: Final = bytes((0, 2, 0, 0))
MD5_ONLY: Final = bytes((0, 1, 0, 0))


@dataclass(slots=True)
class Lease:
    """What one client has."""

    relayed: Address
    expires_at: float
    permissions: dict[str, float] = field(default_factory=dict)
    channels: dict[int, tuple[Address, float]] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class TurnServer:
    """Serves one user at one address, with relayed addresses of ``relay``. A host of a ``VirtualNetwork``."""

    address: Address
    relay: str
    username: str = "user"
    password: str = "secret"
    realm: bytes = b"example.org"
    algorithms: bytes | None = None
    """PASSWORD-ALGORITHMS that are offered; then all is signed with SHA-256."""
    is_open: bool = False
    """Whether anybody may use it."""
    nonce_prefix: bytes = b""
    nonce_uses: int = 1 << 30
    """Signed requests that one nonce is good for."""
    lifetime: int = 600
    refuse: Callable[[StunMessage], int | None] = lambda message: None
    """An error for a request that is signed and would be granted."""
    alternate: Address | None = None
    replies: Callable[[bytes], list[bytes]] = lambda data: [data]
    """What becomes of a response on its way."""
    leases: dict[Address, Lease] = field(default_factory=dict)
    requests: Counter[int] = field(default_factory=Counter)
    """By method, with repetitions."""
    relayed: Counter[str] = field(default_factory=Counter)
    """Datagrams to peers, by the form in which they came."""
    discarded: int = 0
    """Datagrams that were relayed to nobody, for want of a permission."""
    now: float = 0.0
    _nonce: int = 0
    _uses: int = 0
    _next_port: int = 49152
    _outgoing: list[Datagram] = field(default_factory=list)

    # A host's verbs

    def handle_datagram(self, data: bytes, path: Path, now: float) -> None:
        self.now = now
        if path.local != self.address:
            self._from_peer(data, path)
        elif classify(data) is PacketKind.TURN_CHANNEL:
            number, payload = parse_channel_data_untrusted(data)
            peer, _ = self.leases[path.remote].channels[number]
            self._to_peer(payload, path.remote, peer, "channel")
        else:
            self._handle_message(parse_stun_untrusted(data), path.remote)

    def handle_timeout(self, now: float) -> None:
        self.now = now

    def datagrams_to_send(self) -> list[Datagram]:
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def next_timeout(self) -> float | None:
        return None

    # Requests

    def _handle_message(self, message: StunMessage, client: Address) -> None:
        if message.message_class is MessageClass.INDICATION:
            peer = message.xor_peer_address
            if peer is not None:
                self._to_peer(message.attributes[Attribute.DATA], client, peer, "indication")
            return
        self.requests[message.method] += 1
        if (problem := self._authenticate(message)) is not None:
            self._reply(message, client, MessageClass.ERROR, [(Attribute.ERROR_CODE, encode_error_code(problem))])
        elif message.method == ALLOCATE and self.alternate is not None:
            self._redirect(message, client, self.alternate)
        elif (code := self.refuse(message) or self._mismatch(message, client)) is not None:
            self._reply(
                message, client, MessageClass.ERROR, [(Attribute.ERROR_CODE, encode_error_code(code))], signed=True
            )
        else:
            self._grant(message, client)

    def _authenticate(self, message: StunMessage) -> int | None:
        if self.is_open:
            return None
        signature = Attribute.MESSAGE_INTEGRITY if self.algorithms is None else Attribute.MESSAGE_INTEGRITY_SHA256
        if signature not in message.attributes or message.attributes[Attribute.REALM] != self.realm:
            return 401
        self._uses += 1
        if message.attributes[Attribute.NONCE] != self.nonce or self._uses > self.nonce_uses:
            self.renew_nonce()
            return 438
        if message.attributes.get(Attribute.PASSWORD_ALGORITHMS) != self.algorithms:
            return 400
        is_signed = (
            message.is_signed_with(self.key) if self.algorithms is None else message.is_signed_sha256_with(self.key)
        )
        return None if is_signed else 401

    @property
    def key(self) -> bytes:
        text = b":".join((self.username.encode(), self.realm, self.password.encode()))
        if self.algorithms is not None and not self.algorithms.startswith(MD5_ONLY):
            return hashlib.sha256(text).digest()
        return hashlib.md5(text, usedforsecurity=False).digest()

    @property
    def nonce(self) -> bytes:
        return self.nonce_prefix + b"nonce %d" % self._nonce

    def renew_nonce(self) -> None:
        self._nonce += 1
        self._uses = 0

    def _mismatch(self, message: StunMessage, client: Address) -> int | None:
        lease = self.leases.get(client)
        is_there = lease is not None and lease.expires_at > self.now
        return 437 if is_there == (message.method == ALLOCATE) else None

    def _redirect(self, message: StunMessage, client: Address, server: Address) -> None:
        plain = bytes((0, 1)) + server.port.to_bytes(2) + bytes(map(int, server.host.split(".")))
        attributes = [(Attribute.ERROR_CODE, encode_error_code(300)), (Attribute.ALTERNATE_SERVER, plain)]
        self._reply(message, client, MessageClass.ERROR, attributes, signed=True)

    def _grant(self, message: StunMessage, client: Address) -> None:
        attributes: list[tuple[Attribute, bytes]] = []
        peer = message.xor_peer_address
        if message.method == ALLOCATE:
            lease = Lease(Address(self.relay, self._next_port), self.now + self.lifetime)
            self._next_port += 1
            self.leases[client] = lease
            attributes = [
                (Attribute.XOR_RELAYED_ADDRESS, encode_xor_address(lease.relayed, message.transaction_id)),
                (Attribute.XOR_MAPPED_ADDRESS, encode_xor_address(client, message.transaction_id)),
                (Attribute.LIFETIME, self.lifetime.to_bytes(4)),
            ]
        elif message.method == REFRESH:
            lifetime = min(self.lifetime, message.lifetime or 0)
            self.leases[client].expires_at = self.now + lifetime
            attributes = [(Attribute.LIFETIME, lifetime.to_bytes(4))]
        elif peer is not None:
            lease = self.leases[client]
            lease.permissions[peer.host] = self.now + 300
            if message.method == CHANNEL_BIND:
                number = int.from_bytes(message.attributes[Attribute.CHANNEL_NUMBER][:2])
                known, rests_until = lease.channels.get(number, (peer, 0.0))
                assert known == peer or rests_until + 300 < self.now, "a number that rests means another peer"
                lease.channels[number] = (peer, self.now + 600)
        self._reply(message, client, MessageClass.SUCCESS, attributes, signed=True)

    def _reply(
        self,
        request: StunMessage,
        client: Address,
        message_class: MessageClass,
        attributes: list[tuple[Attribute, bytes]],
        *,
        signed: bool = False,
    ) -> None:
        signed = signed and not self.is_open
        if not signed and not self.is_open:
            attributes = [*attributes, (Attribute.REALM, self.realm), (Attribute.NONCE, self.nonce)]
            if self.algorithms is not None:
                attributes.append((Attribute.PASSWORD_ALGORITHMS, self.algorithms))
        data = build_stun(
            message_class,
            request.transaction_id,
            attributes,
            method=request.method,
            key=self.key if signed else None,
            sha256=self.algorithms is not None,
        )
        for reply in self.replies(data):
            self.send(reply, client)

    def send(self, data: bytes, client: Address) -> None:
        """Say something to a client."""
        self._outgoing.append(Datagram(data, Path(self.address, client)))

    # Relaying

    def _to_peer(self, data: bytes, client: Address, peer: Address, form: str) -> None:
        lease = self.leases.get(client)
        is_permitted = lease is not None and lease.expires_at > self.now < lease.permissions.get(peer.host, 0.0)
        if lease is None or not is_permitted:
            self.discarded += 1
            return
        self.relayed[form] += 1
        self._outgoing.append(Datagram(data, Path(lease.relayed, peer)))

    def _from_peer(self, data: bytes, path: Path) -> None:
        for client, lease in self.leases.items():
            if lease.relayed == path.local and lease.expires_at > self.now:
                if lease.permissions.get(path.remote.host, 0.0) <= self.now:
                    self.discarded += 1
                    return
                for number, (peer, expires_at) in lease.channels.items():
                    if peer == path.remote and expires_at > self.now:
                        self.send(build_channel_data(number, data), client)
                        return
                self.send(data_indication(data, path.remote), client)


def data_indication(data: bytes, peer: Address) -> bytes:
    """What a server makes of a datagram that has come from a peer."""
    transaction_id = bytes(12)
    attributes = [(Attribute.XOR_PEER_ADDRESS, encode_xor_address(peer, transaction_id)), (Attribute.DATA, data)]
    return build_stun(MessageClass.INDICATION, transaction_id, attributes, method=DATA)
