"""What a worker knows of the others: who gets a connection, what there is of everything, and what the parent wants."""

import logging
import math
import socket
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec
import trio

from glottis.barrier import stop
from glottis.calls.streams import Wakeup
from glottis.config import Campaign
from glottis.contracts.cluster import Limited
from glottis.contracts.info import CallInfo
from glottis.contracts.parts import TellPart
from glottis.plugins.failures import log_failure
from glottis.server.api.plugins import Rows
from glottis.server.fleet.channel import Channel, close_all
from glottis.server.fleet.messages import (
    MAX_COUNT,
    MAX_FIGURES,
    MAX_PAGE,
    MAX_RECEIVED,
    MOST_TRIED,
    Adopt,
    Ask,
    Claim,
    Connected,
    Done,
    FromParent,
    FromWorker,
    Granted,
    HandOver,
    Leave,
    Leaves,
    Part,
    Queue,
    Queued,
    Rate,
    Recall,
    Recalled,
    Refused,
    Release,
    State,
    Stop,
    Tell,
    Told,
    Wait,
    Welcome,
    encode,
    parse_from_parent,
)
from glottis.server.fleet.session_ids import new_session_id, worker_in
from glottis.server.http.entry import Entry
from glottis.server.http.message import Request
from glottis.server.http.rate_limit import Limiter
from glottis.server.http.siblings import Adopted
from glottis.server.sessions.admission import TooManySessions, Unavailable
from glottis.server.sessions.entrance import ticket_of
from glottis.server.sessions.traces import Trace
from glottis.server.sessions.verdict import page
from glottis.server.sessions.waiting_room import Waiting

MAX_ADOPTED: Final = 256
"""Connections that wait to be served here; beyond, the newest is closed."""
LAST_WORDS: Final = 1.0
"""Seconds for the parent to take them."""
ANSWER_PATIENCE: Final = 5.0
"""Seconds for the parent to answer."""
PLUGINS: Final = "plugins"
"""What workers can be asked for."""
_WHY: Final = {
    "FULL": "The gateway has as many calls as it takes, try again later",
    "OVERLOADED": "Another call would be one too many for this machine, try again later",
    "DRAINING": "The gateway is about to stop, try again later",
    "STARTING": "Agents are being loaded, try again soon",
}

logger = logging.getLogger(__name__)


class ParentGone(Exception):
    """Nobody is at the other end: what is left here has no reason to go on."""


class Member:
    """See ``gateway.Fleet``, and ``GatewayParts``. ``run`` reads what the parent says."""

    def __init__(self, channel: Channel) -> None:
        self._offers: dict[str, TellPart] = {}
        self.stop: Stop | None = None
        """What the parent has said last of the end."""
        self.changed = Wakeup()
        """Woken when it says something of the end."""
        self.connections_dropped = 0
        """See ``gateway.Fleet``."""
        self._channel = channel
        self._number = 0
        self._unavailable = "STARTING"
        self._adopted: deque[Adopted] = deque()
        self._more_adopted = Wakeup()
        self._questions: dict[int, trio.Event] = {}
        self._answers: dict[int, Granted | Refused | Wait | Done | Queued | Recalled] = {}
        self._parts: dict[int, dict[int, bytes]] = {}
        self._asked = 0

    async def welcome(self) -> tuple[Welcome, list[socket.socket]]:
        """Wait for it, and the sockets that are ours from now on. Raises ``ParentGone``."""
        message, descriptors = await self._receive()
        if not isinstance(message, Welcome):
            raise ParentGone
        self._number = message.worker
        return message, [socket.socket(fileno=descriptor) for descriptor in descriptors]

    def say(self, message: FromWorker) -> None:
        """To the parent; if it is gone, ``run`` says so."""
        self._channel.send(encode(message))

    async def run(self) -> None:
        """Until cancelled; raises ``ParentGone``."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._channel.run)
            while True:
                self._take(*await self._receive(), nursery)

    async def _receive(self) -> tuple[FromParent, list[int]]:
        received = await self._channel.receive_untrusted()
        if received is None:
            raise ParentGone
        return parse_from_parent(received[0]), received[1]

    def _take(self, message: FromParent, descriptors: list[int], nursery: trio.Nursery) -> None:
        match message:
            case Adopt() if not descriptors or len(self._adopted) >= MAX_ADOPTED:
                self.connections_dropped += 1
            case Adopt(received, entry, peer_host):
                self._adopted.append(Adopted(socket.socket(fileno=descriptors.pop(0)), received, entry, peer_host))
                self._more_adopted.wake()
            case State(unavailable):
                self._unavailable = unavailable
            case Stop():
                self.stop = message
                self.changed.wake()
            case Tell(question, what):
                nursery.start_soon(self._tell, question, what)
            case Part(question, worker, figures) if question in self._parts:
                self._parts[question][worker] = figures
            case (
                Granted(question)
                | Refused(question)
                | Wait(question)
                | Done(question)
                | Queued(question)
                | Recalled(question)
            ):
                if (answered := self._questions.get(question)) is not None:
                    self._answers[question] = message
                    answered.set()
        close_all(descriptors)

    async def _ask(
        self, make: Callable[[int], FromWorker]
    ) -> Granted | Refused | Wait | Done | Queued | Recalled | None:
        """The parent's answer; None if it has none in time."""
        self._asked += 1
        question, answered = self._asked, trio.Event()
        self._questions[question] = answered
        try:
            self.say(make(question))
            with trio.move_on_after(ANSWER_PATIENCE):
                await answered.wait()
            return self._answers.get(question)
        finally:
            del self._questions[question]
            self._answers.pop(question, None)
            self._parts.pop(question, None)

    # Siblings

    def is_theirs(self, request: Request) -> bool:
        """See ``Siblings``: what is about a session is for its worker, and who creates one is asked for elsewhere."""
        return request.is_for_call or worker_in(request.path) not in (None, self._number)

    def hand_over(self, request: Request, descriptor: int, received: bytes, peer_host: str) -> bool:
        """See ``Siblings``."""
        if len(received) > MAX_RECEIVED:
            return False
        tried = (*request.entry.tried, self._number) if request.entry is not None else ()
        worker, ticket = worker_in(request.path) or 0, ticket_of(request)
        message = HandOver(worker, received, request.client_host, ticket, tried[:MOST_TRIED], peer_host)
        return self._channel.send(encode(message), [descriptor])

    async def next_adopted(self) -> Adopted:
        """See ``Siblings``."""
        while not self._adopted:
            await self._more_adopted.wait()
        return self._adopted.popleft()

    # The whole

    def new_session_id(self) -> str:
        """See ``sessions.whole.Whole``."""
        return new_session_id(self._number)

    async def claim(self, info: CallInfo, campaign: Campaign) -> None:
        """See ``sessions.whole.Whole``."""
        most = None if campaign.max_sessions == math.inf else int(campaign.max_sessions)
        of_principal = info.principal.max_sessions
        if of_principal is not None:
            of_principal = min(of_principal, MAX_COUNT)  # credentials may name any number
        who = info.client_host, info.principal.name, of_principal
        try:
            answer = await self._ask(lambda question: Claim(question, info.session_id, info.campaign_id, most, *who))
        except trio.Cancelled:
            self.release(info.session_id)
            raise
        match answer:
            case Granted():
                return
            case Refused(_, "", text):
                raise TooManySessions(text)
            case Refused(_, code, text):
                raise Unavailable(code, text)
        self.release(info.session_id)
        raise Unavailable("OVERLOADED", _WHY["OVERLOADED"])

    def connected(self, session_id: str) -> None:
        """See ``sessions.whole.Whole``."""
        self.say(Connected(session_id))

    def release(self, session_id: str) -> None:
        """See ``sessions.whole.Whole``."""
        self.say(Release(session_id))

    def unavailability(self, own: Callable[[], Unavailable | None]) -> Unavailable | None:
        """See ``sessions.whole.Whole``."""
        code = self._unavailable
        return Unavailable(code, _WHY.get(code, "Try again later")) if code else None

    async def recall(self, session_id: str) -> tuple[str, str] | None:
        """See ``sessions.whole.Whole``."""
        if worker_in(session_id) in (None, self._number):
            return None
        answer = await self._ask(lambda question: Recall(question, session_id))
        if not isinstance(answer, Recalled) or not answer.page:
            return None
        return answer.principal, answer.page.decode(errors="replace")

    async def bequeath(self, traces: Iterable[tuple[Trace, float]]) -> None:
        """Tell the parent what was noted of sessions that have ended, for this worker is about to leave."""
        for trace, seconds in traces:
            assert trace.outcome is not None
            text = page(trace, trace.outcome).encode(errors="replace")[:MAX_PAGE]
            self.say(Leaves(trace.session_id, trace.principal, text, seconds))
            await trio.lowlevel.checkpoint()
        with trio.move_on_after(LAST_WORDS):
            await self._channel.flush()

    # The entrance

    async def enter(self, request: Request) -> Entry:
        """See ``Entrance``: the parent has said it with the connection, unless that could not be moved."""
        return request.entry or Entry(await self.seconds_to_wait("sessions", request.client_host))

    async def wait(self, ticket: str, client_host: str) -> Waiting | None:
        """See ``Entrance``."""
        answer = await self._ask(lambda question: Queue(question, ticket, client_host))
        return Waiting(answer.ticket, answer.place) if isinstance(answer, Queued) and answer.place else None

    def leave(self, ticket: str) -> None:
        """See ``Entrance``."""
        self.say(Leave(ticket))

    def limiter(self, what: Limited) -> Limiter:
        """See ``gateway.Fleet``."""
        return _ParentsLimiter(self, what)

    async def seconds_to_wait(self, what: Limited, client_host: str) -> float:
        """Until the client may ask for something of this kind. If the parent has no answer it need not wait."""
        answer = await self._ask(lambda question: Rate(question, what, client_host))
        return answer.seconds if isinstance(answer, Wait) else 0.0

    # The parts

    @property
    def number(self) -> int:
        """See ``GatewayParts``."""
        return self._number

    def offer(self, name: str, tell: TellPart) -> None:
        """See ``GatewayParts``."""
        self._offers[name] = tell

    async def collect(self, name: str) -> Mapping[int, bytes]:
        """See ``GatewayParts``."""
        parts: dict[int, bytes] = {}

        def ask(question: int) -> Ask:
            self._parts[question] = parts
            return Ask(question, name)

        await self._ask(ask)
        return {number: told for number, told in parts.items() if told}

    async def _tell(self, question: int, name: str) -> None:
        """Nothing, if there is nothing, or too much, or if it fails."""
        told = b""
        if (tell := self._offers.get(name)) is not None:
            try:
                told = await tell()
            except BaseException as error:
                stop(error, lambda failure: log_failure(logger, failure, "%s cannot be told", name))
        if len(told) > MAX_FIGURES:
            logger.warning("%s is not told: it has %d bytes, and at most %d pass", name, len(told), MAX_FIGURES)
            told = b""
        self.say(Told(question, told))

    async def figures_of_plugins(self) -> Sequence[Rows]:
        """See ``gateway.Fleet``."""
        told = await self.collect(PLUGINS)
        return [msgspec.json.decode(one) for number, one in told.items() if number != self._number]


class _ParentsLimiter:
    def __init__(self, member: Member, what: Limited) -> None:
        self._member = member
        self._what: Limited = what

    async def ask(self, client_host: str, now: float) -> float:
        """See ``Limiter``: one count for all workers."""
        return await self._member.seconds_to_wait(self._what, client_host)
