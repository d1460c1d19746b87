"""One allocation on a TURN server, RFC 8656: an address that the server lends, and relays to and from.

Sans-I/O, and the same over UDP, TCP and TLS: who carries the messages over a stream cuts and pads them there
(``wire/stun_stream.py``). One allocation lends one address, of IPv4 or IPv6; who wants both asks for two.
"""

import math
import random
from ipaddress import ip_address
from typing import Final, Literal

from glottis.contracts.errors import LocalError, Malformed
from glottis.contracts.short_queue import ShortQueue
from glottis.turn.credentials import LongTermCredentials
from glottis.turn.events import Allocated, Alternate, Closed, Failed, TurnEvent
from glottis.turn.refusals import ALLOCATION_MISMATCH, TRY_ALTERNATE, reason_of
from glottis.turn.relaying import DATA, Relaying
from glottis.turn.requests import Outcome, Purpose, Requests
from glottis.turn.states import TRANSITIONS, AllocationState, Happening
from glottis.turn.timing import DEFAULT_TIMING, TurnTiming
from glottis.wire.address import Address
from glottis.wire.demux import PacketKind, classify
from glottis.wire.stun import (
    Attribute,
    MessageClass,
    StunMessage,
    parse_stun_untrusted,
)

ALLOCATE: Final = 0x003
REFRESH: Final = 0x004
"""Methods, RFC 8656 §17."""

MAX_REDIRECTIONS: Final = 3
"""Servers that name another one, one after the other (RFC 8489 §10)."""
MOST_AT_ONCE: Final = 32
"""Things that a timeout does of each kind; what else is due is done in the next one."""
MAX_UNANSWERED_REFRESHES: Final = 2
"""In a row, before a silent server counts as lost: one does so by chance, once in ten minutes of 30 % loss."""
SHORTEST_REFRESH: Final = 1.0
"""Seconds between refreshes, whatever lifetime the server grants."""

_UDP: Final = bytes((17, 0, 0, 0))
_FAMILIES: Final = {4: bytes((1, 0, 0, 0)), 6: bytes((2, 0, 0, 0))}
_FINAL: Final = (AllocationState.CLOSED, AllocationState.REDIRECTED, AllocationState.FAILED)

Family = Literal[4, 6]


class Allocation:
    """The client's end. ``reliable`` if a stream carries the messages. ``rng`` must be unpredictable in production.

    The owner gives it only what has come from ``server``, and drains ``datagrams_to_send`` and ``next_event`` after
    each call of a method.
    """

    def __init__(
        self,
        server: Address,
        credentials: LongTermCredentials | None,
        *,
        rng: random.Random,
        family: Family = 4,
        reliable: bool = False,
        timing: TurnTiming = DEFAULT_TIMING,
        visited: tuple[Address, ...] = (),
    ) -> None:
        """``visited`` are the servers that have named this one, each the next."""
        self.state = AllocationState.NEW
        self.server = server
        self.relayed: Address | None = None
        """What the server lends, while it does."""
        self.ignored_datagrams = 0
        """That were no valid message, no response to anything asked, not signed by the server, or of strangers."""
        self._credentials = credentials
        self._rng = rng
        self._family = family
        self._reliable = reliable
        self._timing = timing
        self._visited = visited
        self._requests = Requests(credentials, reliable=reliable, rng=rng, timing=timing)
        self._relaying = Relaying(self._requests, family=family, rng=rng, timing=timing)
        self._untimely = 0
        self._refresh_at = math.inf
        self._unanswered_refreshes = 0
        self._is_doubted = False
        self._probed_at: float | None = None
        """When it was asked whether it is there, while it has not answered."""
        self._heard_at = -math.inf
        self._has_cleared = False
        self._events: ShortQueue[TurnEvent] = ShortQueue()

    @property
    def dropped_datagrams(self) -> int:
        """To peers that the server did not permit, or not in time, or at a time without an allocation."""
        return self._untimely + self._relaying.dropped

    def start(self, now: float) -> None:
        """Ask the server for an address; once."""
        if not self._advance(Happening.START):
            raise LocalError("TURN: only a new allocation can be started")
        self._allocate(now)

    def send(self, data: bytes, peer: Address, now: float, owner: object = None) -> None:
        """Have a datagram relayed to ``peer``. The first ones wait for the server's permission.

        ``owner`` is who has a share of the permissions, for as long as it lives: a call.
        """
        if self.state is AllocationState.ALLOCATED:
            self._relaying.send(data, peer, now, owner)
        else:
            self._untimely += 1

    def close(self, now: float) -> None:
        """Give the address back. ``Closed`` follows when the server has heard, or did not answer in time."""
        if not self._advance(Happening.CLOSE):
            return
        self._stop()
        if self.state is AllocationState.RELEASING:
            transmissions = self._timing.release_transmissions
            self._refresh(Purpose.RELEASE, now, lifetime=0, transmissions=transmissions)
        else:
            self._events.append(Closed())

    def redirected(self, server: Address) -> "Allocation":
        """The next attempt, after ``Alternate``."""
        return Allocation(
            server,
            self._credentials,
            rng=self._rng,
            family=self._family,
            reliable=self._reliable,
            timing=self._timing,
            visited=(*self._visited, self.server),
        )

    # The engine's verbs

    def handle_datagram(self, data: bytes, now: float) -> None:
        """Take a message of the server's; anything else is ignored and counted. Never raises."""
        if self.state in _FINAL:
            return
        try:
            if classify(data) is PacketKind.TURN_CHANNEL:
                is_welcome = self._relaying.accept_channel_data_untrusted(data)
            else:
                is_welcome = self._accept(parse_stun_untrusted(data), now)
        except Malformed:
            is_welcome = False
        if is_welcome:
            self._unanswered_refreshes = 0
            self._heard_at = now
        else:
            self.ignored_datagrams += 1

    def handle_timeout(self, now: float) -> None:
        """Do what is due. Early calls do no harm."""
        if self.state in _FINAL:
            return
        for outcome in self._requests.handle_timeout(now, MOST_AT_ONCE):
            self._conclude(outcome, now)
        if self._refresh_at <= now:
            self._refresh_at = math.inf
            self._refresh(Purpose.REFRESH, now, lifetime=self._timing.lifetime)
        if self._is_doubted:
            self._is_doubted = False
            if self._probed_at is None:
                self._probe(now)
        self._relaying.handle_timeout(now, MOST_AT_ONCE)

    def doubt(self, now: float, silence: float = 0.0) -> None:
        """Is the server there, and does it know us? Ask as soon as ``handle_timeout`` is called, if it is not asked,
        and has said nothing for so many seconds.

        Who says nothing until the answer is overdue is lost, within seconds: a refresh in its time is more patient.
        """
        if self.state is AllocationState.ALLOCATED and now - self._heard_at >= silence:
            self._is_doubted = True

    def next_timeout(self) -> float | None:
        """When ``handle_timeout`` wants to be called."""
        if self.state in _FINAL:
            return None
        if self._is_doubted:
            return 0.0
        moment = min(self._requests.next_moment(), self._refresh_at, self._relaying.next_moment())
        return None if moment == math.inf else moment

    def datagrams_to_send(self) -> list[bytes]:
        """Return and empty what is to go to the server: a datagram each, or a message each on a stream."""
        outgoing = [*self._requests.to_send, *self._relaying.to_send]
        self._requests.to_send.clear()
        self._relaying.to_send.clear()
        return outgoing

    def next_event(self) -> TurnEvent | None:
        """The oldest event that was not yet told. Each datagram can add one."""
        if self._events:
            return self._events.popleft()
        return self._relaying.received.popleft() if self._relaying.received else None

    # What the server is asked

    def _allocate(self, now: float) -> None:
        wanted = [
            (Attribute.REQUESTED_TRANSPORT.value, _UDP),
            (Attribute.LIFETIME.value, self._timing.lifetime.to_bytes(4)),
        ]
        if self._family == 6:  # IPv4 is what old servers know of, too (RFC 8656 §7.1)
            wanted.append((Attribute.REQUESTED_ADDRESS_FAMILY.value, _FAMILIES[self._family]))
        transmissions = self._timing.first_transmissions
        self._requests.ask(Purpose.ALLOCATE, ALLOCATE, lambda _: wanted, now, transmissions=transmissions)

    def _refresh(self, purpose: Purpose, now: float, *, lifetime: int, transmissions: int | None = None) -> None:
        wanted = [(Attribute.LIFETIME.value, lifetime.to_bytes(4))]
        self._requests.ask(purpose, REFRESH, lambda _: wanted, now, transmissions=transmissions)

    def _probe(self, now: float) -> None:
        self._probed_at = now
        timing = self._timing
        self._refresh(Purpose.PROBE, now, lifetime=timing.lifetime, transmissions=timing.probe_transmissions)

    # What comes from the server

    def _accept(self, message: StunMessage, now: float) -> bool:
        """Whether the message was worth anything."""
        if message.message_class is MessageClass.INDICATION:
            return message.method == DATA and self._relaying.accept_data(message)
        if message.message_class is MessageClass.REQUEST:
            return False
        is_authentic, outcome = self._requests.accept_response(message, now)
        if outcome is not None:
            self._conclude(outcome, now)
        return is_authentic

    # How requests end

    def _conclude(self, outcome: Outcome, now: float) -> None:
        match outcome.request.purpose:
            case Purpose.ALLOCATE:
                self._conclude_allocate(outcome, now)
            case Purpose.FORGET:
                self._allocate(now)
            case Purpose.REFRESH:
                self._conclude_refresh(outcome, now)
            case Purpose.PROBE:
                self._conclude_probe(outcome, now)
            case Purpose.RELEASE:
                self._advance(Happening.RELEASED)
                self._stop()
                self._events.append(Closed())
            case _ if outcome.code == ALLOCATION_MISMATCH:
                self._fail(Happening.LOST, outcome)
            case Purpose.PERMIT:
                self._relaying.conclude_permit(outcome, now)
            case Purpose.BIND:
                self._relaying.conclude_bind(outcome, now)

    def _conclude_allocate(self, outcome: Outcome, now: float) -> None:
        if outcome.has_succeeded and outcome.response is not None:
            self._begin(outcome.response, now)
        elif outcome.code == TRY_ALTERNATE and outcome.response is not None:
            self._redirect(outcome.response.alternate_server)
        elif outcome.code == ALLOCATION_MISMATCH and not self._has_cleared:
            # RFC 8656 §7.4 wants another address of ours. But who starts anew with a fixed port has the same one, and
            # finds what it has left behind: with the same credentials it may be released.
            self._has_cleared = True
            self._refresh(Purpose.FORGET, now, lifetime=0, transmissions=self._timing.release_transmissions)
        elif outcome.response is None and outcome.request.unsigned_code == ALLOCATION_MISMATCH:
            # Of another user's, it cannot be signed for us. Whoever has sent it gains nothing by another attempt.
            self._end(Happening.REFUSED, Failed(reason_of(ALLOCATION_MISMATCH), ALLOCATION_MISMATCH))
        else:
            self._fail(Happening.REFUSED, outcome)

    def _begin(self, response: StunMessage, now: float) -> None:
        relayed, lifetime = response.xor_relayed_address, response.lifetime
        if relayed is None or lifetime is None or not _is_usable(relayed, self._family):
            self._end(Happening.REFUSED, Failed("the server lends no usable address"))
            return
        self._advance(Happening.GRANTED)
        self.relayed = relayed
        self._schedule_refresh(lifetime, now)
        self._events.append(Allocated(relayed, response.xor_mapped_address, lifetime))

    def _redirect(self, server: Address | None) -> None:
        """To a server that is no trap: RFC 8489 §10 forbids loops and other families, and sense what is within."""
        here = ip_address(self.server.host)
        is_inward = server is not None and ip_address(server.host).is_loopback and not here.is_loopback
        if server is None or is_inward or not _is_usable(server, here.version):
            self._end(Happening.REFUSED, Failed("the server names no usable alternate", TRY_ALTERNATE))
        elif server in (*self._visited, self.server):
            self._end(Happening.REFUSED, Failed("servers name each other as alternates", TRY_ALTERNATE))
        elif len(self._visited) >= MAX_REDIRECTIONS:
            self._end(Happening.REFUSED, Failed("too many servers name another one", TRY_ALTERNATE))
        else:
            self._end(Happening.ALTERNATE, Alternate(server))

    def _conclude_refresh(self, outcome: Outcome, now: float) -> None:
        if outcome.has_succeeded and outcome.response is not None:
            lifetime = outcome.response.lifetime
            self._schedule_refresh(self._timing.lifetime if lifetime is None else lifetime, now)
        elif outcome.response is None and self._unanswered_refreshes + 1 < MAX_UNANSWERED_REFRESHES:
            self._unanswered_refreshes += 1
            self._refresh_at = now
        else:
            self._fail(Happening.LOST, outcome)

    def _conclude_probe(self, outcome: Outcome, now: float) -> None:
        probed_at, self._probed_at = self._probed_at, None
        was_silent = probed_at is not None and self._heard_at <= probed_at
        if not outcome.has_succeeded and (outcome.response is not None or was_silent):
            self._fail(Happening.LOST, outcome)

    def _schedule_refresh(self, lifetime: int, now: float) -> None:
        self._refresh_at = now + max(SHORTEST_REFRESH, min(self._timing.refresh, lifetime / 2))

    def _fail(self, happening: Happening, outcome: Outcome) -> None:
        self._end(happening, Failed(outcome.problem or reason_of(outcome.code), outcome.code))

    def _end(self, happening: Happening, event: Failed | Alternate) -> None:
        if self._advance(happening):
            self._stop()
            self._events.append(event)

    def _stop(self) -> None:
        """Nothing that is under way matters any more."""
        self._requests.stop()
        self._relaying.stop()
        self._refresh_at = math.inf
        self._is_doubted = False
        self.relayed = None

    def _advance(self, happening: Happening) -> bool:
        """Take a transition of the table; says whether there is one."""
        following = TRANSITIONS.get((self.state, happening))
        if following is not None:
            self.state = following
        return following is not None


def _is_usable(address: Address, family: int) -> bool:
    """Whether somebody can be there, and be reached as the owner is used to."""
    ip = ip_address(address.host)
    special = ip.is_multicast or ip.is_unspecified or ip.is_link_local or (ip.version == 4 and ip.is_reserved)
    return ip.version == family and address.port > 0 and not special
