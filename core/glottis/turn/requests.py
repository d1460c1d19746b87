"""STUN requests under way: retransmission, credentials, and the match of responses (RFC 8489 §6.2, §6.3, §9.2.5)."""

import math
import random
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

import msgspec

from glottis.contracts.timeouts import Timeouts
from glottis.turn.credentials import (
    STALE_NONCE,
    UNAUTHENTICATED,
    Challenge,
    ChallengeRefused,
    LongTermCredentials,
    take_challenge,
)
from glottis.turn.timing import TurnTiming
from glottis.wire.stun import TRANSACTION_ID_LENGTH, MessageClass, StunMessage, build_stun

MAX_REQUESTS: Final = 256
"""Under way at a time. Of permissions and channels there are as many as peers are met within a round trip."""

MAX_CHALLENGES: Final = 4
"""That a request answers: one to learn of the realm, one if its nonce has grown old meanwhile, and two to spare. A
server that goes on asking would be asked for ever."""

Attributes = Callable[[bytes], list[tuple[int, bytes]]]
"""From the transaction id, which addresses are obfuscated with, to the attributes of a request."""


class Purpose(Enum):
    """What a request is for."""

    ALLOCATE = auto()
    FORGET = auto()
    """Release what an earlier allocation with the same addresses has left behind."""
    REFRESH = auto()
    PROBE = auto()
    """A refresh, too: of a server that may be gone."""
    RELEASE = auto()
    PERMIT = auto()
    BIND = auto()


class Request(msgspec.Struct, eq=False):
    """One of the owner's, through all its transactions."""

    purpose: Purpose
    method: int
    attributes: Attributes
    subject: object
    """What it is about, for the owner to know again."""
    transmissions: int
    transaction_id: bytes = b""
    data: bytes = b""
    answers: Challenge | None = None
    challenges: int = 0
    unsigned_code: int | None = None
    """Of an error that anybody may have sent: a hint, if nothing better comes."""
    transmissions_left: int = 0
    rto: float = 0.0


class Outcome(msgspec.Struct, frozen=True):
    """How a request has ended: by an authentic response, or by a ``problem`` without one."""

    request: Request
    response: StunMessage | None = None
    problem: str = ""

    @property
    def has_succeeded(self) -> bool:
        """Whether the server has done what it was asked."""
        return self.response is not None and self.response.message_class is MessageClass.SUCCESS

    @property
    def code(self) -> int | None:
        """The server's, of an error."""
        return None if self.response is None else self.response.error_code


class Requests:
    """The requests of one client to one server."""

    def __init__(
        self, credentials: LongTermCredentials | None, *, reliable: bool, rng: random.Random, timing: TurnTiming
    ) -> None:
        self.to_send: list[bytes] = []
        """For the owner to take."""
        self._credentials = credentials
        self._reliable = reliable
        self._rng = rng
        self._timing = timing
        self._challenge: Challenge | None = None
        """The latest one: what the next request answers without being asked."""
        self._by_id: dict[bytes, Request] = {}
        self._timeouts: Timeouts[Request] = Timeouts()

    @property
    def are_full(self) -> bool:
        """Whether the server owes so many answers that it is asked no more."""
        return len(self._by_id) >= MAX_REQUESTS

    def ask(
        self,
        purpose: Purpose,
        method: int,
        attributes: Attributes,
        now: float,
        *,
        subject: object = None,
        transmissions: int | None = None,
    ) -> None:
        """Send a request, signed once it is known how."""
        count = self._timing.transmissions if transmissions is None else transmissions
        self._begin(Request(purpose, method, attributes, subject, 1 if self._reliable else count), now)

    def accept_response(self, message: StunMessage, now: float) -> tuple[bool, Outcome | None]:
        """Match a response: whether it is the server's, and how the request has ended, unless it goes on.

        One that is not signed is the server's only as the answer to what is not signed, or if it asks for credentials
        (RFC 8489 §9.2.5). One that has come before matches nothing any more.
        """
        request = self._by_id.get(message.transaction_id)
        if request is None or request.method != message.method or message.unknown_attributes:
            return False, None
        is_challenge = message.error_code in (UNAUTHENTICATED, STALE_NONCE)
        if not is_challenge and request.answers is not None and not request.answers.has_signed(message):
            request.unsigned_code = message.error_code
            return False, None
        self._finish(request)
        return True, self._answer(request, message, now) if is_challenge else Outcome(request, message)

    def handle_timeout(self, now: float, most: int) -> list[Outcome]:
        """Transmit again what is due, up to so many; returns those that have had no answer."""
        hopeless = []
        for _ in range(most):
            request = self._timeouts.pop_due(now)
            if request is None:
                break
            if request.transmissions_left:
                request.rto *= 2
                self._transmit(request, now)
            else:
                self._finish(request)
                hopeless.append(Outcome(request, problem="the server does not answer"))
        return hopeless

    def next_moment(self) -> float:
        """When ``handle_timeout`` has something to do; infinity if never."""
        return self._timeouts.next_moment() if self._by_id else math.inf

    def stop(self) -> None:
        """Await nothing any more, and send nothing."""
        self._by_id.clear()
        self._timeouts = Timeouts()
        self.to_send.clear()

    def _begin(self, request: Request, now: float) -> None:
        """The first transaction of a request, or the next one, which answers what the server has asked."""
        request.transaction_id = self._rng.randbytes(TRANSACTION_ID_LENGTH)
        request.answers = self._challenge
        attributes = request.attributes(request.transaction_id)
        if request.answers is not None:
            request.data = request.answers.sign(request.method, request.transaction_id, attributes)
        else:
            request.data = build_stun(MessageClass.REQUEST, request.transaction_id, attributes, method=request.method)
        request.transmissions_left = request.transmissions
        request.rto = self._timing.rto
        self._by_id[request.transaction_id] = request
        self._transmit(request, now)

    def _transmit(self, request: Request, now: float) -> None:
        self.to_send.append(request.data)
        request.transmissions_left -= 1
        if self._reliable:
            is_probe = request.purpose is Purpose.PROBE
            wait = self._timing.probe_patience if is_probe else self._timing.stream_patience
        elif request.transmissions_left:
            wait = request.rto
        else:
            wait = self._timing.answer_rtos * self._timing.rto
        self._timeouts.set(request, now + wait)

    def _answer(self, request: Request, message: StunMessage, now: float) -> Outcome | None:
        """Give the server the credentials that it asks for, unless there is no sense in it."""
        request.challenges += 1
        if self._credentials is None:
            return Outcome(request, message, "the server asks for credentials, and there are none")
        if request.challenges > MAX_CHALLENGES:
            return Outcome(request, message, "the server asks for credentials again and again")
        try:
            self._challenge = take_challenge(message, self._credentials, request.answers)
        except ChallengeRefused as refused:
            return Outcome(request, message, str(refused))
        self._begin(request, now)
        return None

    def _finish(self, request: Request) -> None:
        del self._by_id[request.transaction_id]
        self._timeouts.discard(request)
