"""The calling end of a call: what an agent is given, for the one who calls."""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Final, Protocol

import trio

from glottis.barrier import stop
from glottis.calls.call import GatewayCall
from glottis.calls.leg import LegFactory
from glottis.calls.streams import Wakeup
from glottis.client.connection import CallFailed
from glottis.client.failures import why_closed, why_late, why_media_failed
from glottis.client.ice_servers import parse_ice_servers_untrusted
from glottis.client.resumption import LONGEST_PAUSE_OFFLINE, Resumption, is_hopeless, is_offline, pauses, resumption_of
from glottis.contracts.call import Message
from glottis.contracts.errors import RemoteError
from glottis.contracts.events import OtherEvent
from glottis.contracts.ice_servers import IceServer
from glottis.contracts.info import CallInfo
from glottis.contracts.notes import Topic
from glottis.contracts.statistics import Statistics, TransportStats
from glottis.peer import ConnectionState
from glottis.signaling.close_codes import ABNORMAL, INTERNAL_ERROR, NORMAL, SERVICE_RESTART, TRY_AGAIN_LATER
from glottis.signaling.errors import WebSocketClosed
from glottis.signaling.messages import (
    FLUSH,
    Answer,
    Audio,
    Bye,
    ClientMessage,
    Error,
    Event,
    Key,
    Mark,
    Offer,
    ServerMessage,
    SignalingMessage,
    Text,
    TrickledCandidate,
    encode_message,
    stream_message_untrusted,
    type_of,
)
from glottis.signaling.session_request import WEBRTC

LAST_WORD_TIMEOUT: Final = 1.0
"""Seconds from the end of the media connection to the gateway's ``bye`` and close code, which say why."""


class Signaling(Protocol):
    """The way to the far end: a ``ClientSignaling``, as far as a call needs it."""

    def send(self, message: ClientMessage) -> None: ...
    def play(self, audio: bytes) -> int: ...
    async def receive(self) -> ServerMessage | Audio: ...
    async def probe(self) -> None: ...


Reopen = Callable[[str], AbstractAsyncContextManager[Signaling]]
"""Opens signaling again, by the URL of a resumption. Raises ``CallFailed``."""
UseIceServers = Callable[[tuple[IceServer, ...]], None]
"""Takes servers with new credentials."""
WhyNoWay = Callable[[], str]
"""Says why there is no way for media, where the endpoint knows that; else nothing."""


class ClientCall(GatewayCall):
    """The calling end of a call. Made by ``open_client_call``.

    ``audio``, ``say`` and the rest are those of ``Call``; ``events`` has what the gateway tells. ``connected`` is set
    once media can flow; ``end_reason`` says why the call ended, once it is not empty.

    A call that loses its WebSocket comes back by ``reopen`` within the gateway's grace, and looks for a new way of the
    media; so it does when media fails. ``events`` has ``signaling``, which is ``lost`` or ``resumed``.
    """

    def __init__(
        self,
        info: CallInfo,
        make_leg: LegFactory,
        signaling: Signaling,
        *,
        sample_rate: int,
        setup_timeout: float,
        reopen: Reopen | None = None,
        use_ice_servers: UseIceServers = lambda servers: None,
        why_no_way: WhyNoWay = lambda: "",
    ) -> None:
        self._leg = make_leg(self, info, sample_rate)
        super().__init__(
            info,
            sample_rate=sample_rate,
            voice=self._leg.voice,
            messenger=self._leg.messenger,
            hang_up=self._end,
            restart_ice=self._look_beside,
            caught_up=self._leg.catch_up,
        )
        self.connected = trio.Event()
        self.heard = trio.Event()
        """Set once the gateway's audio has begun to come."""
        self.end_reason = ""
        self.gateway_restarts = False
        """After the end: whether the gateway says that it is to be called again."""
        self.failure: BaseException | None = None
        """After the end: ``CallFailed`` if the call never came about or broke, another error for a bug of this side."""
        self._scope = trio.CancelScope()
        self._scope_reason = ""
        self._last_word = ""
        """The reason in the gateway's ``bye``."""
        self._signaling = signaling
        self._setup_timeout = setup_timeout
        self._reopen = reopen
        self._use_ice_servers = use_ice_servers
        self._why_no_way = why_no_way
        self._resumption: Resumption | None = None
        self._is_away = False
        self._came_back = Wakeup()
        self._media_failure = ""
        """Why there is no media at present."""
        self._awaits_answer = False
        """To an offer that looks for another way."""

    def hear(self, now: float) -> None:
        """See ``GatewayCall.hear``."""
        super().hear(now)
        if not self.heard.is_set() and self._leg.heard_since(-math.inf):
            self.heard.set()

    def statistics(self) -> Statistics:
        """What was counted so far, also after the end; see ``Leg.statistics``."""
        return self._leg.statistics(trio.current_time())

    @contextmanager
    def in_progress(self) -> Iterator[None]:
        """The time of the call, from our offer to the end of the block; its earlier end cancels the block."""
        try:
            with self._scope:
                self._end_after(self._setup_timeout)
                self._leg.begin(trio.current_time())
                yield
            if self._scope.cancelled_caught and self._media_failure:
                self._break(self._media_failure)
            elif self._scope.cancelled_caught:
                self._end_or_fail(
                    self._scope_reason or why_late(self._transport, self._setup_timeout, self._why_no_way())
                )
        finally:
            self._end("the caller hung up")

    async def follow(self) -> None:
        """Take the gateway's messages until its WebSocket closes for good, which ends the call."""
        closed = await self._read()
        while self._can_come_back(closed):
            closed = await self._come_back(closed)
        self._handle_close(closed)

    async def _read(self) -> WebSocketClosed:
        """Returns how the WebSocket ended."""
        try:
            while True:
                self._take(await self._signaling.receive())
        except WebSocketClosed as closed:
            return closed

    def _can_come_back(self, closed: WebSocketClosed) -> bool:
        """Whether it was a loss, and no end."""
        is_lost = closed.code in (ABNORMAL, TRY_AGAIN_LATER) and not (self._last_word or self.end_reason)
        return is_lost and self._resumption is not None and self._reopen is not None and self.connected.is_set()

    async def _come_back(self, lost: WebSocketClosed) -> WebSocketClosed:
        """Open another WebSocket, and follow it; returns how that one ended, or the loss if there was none in time."""
        resumption, self._resumption = self._resumption, None
        assert resumption is not None
        assert self._reopen is not None
        self._is_away = True
        self.push_event(OtherEvent("signaling", {"state": "lost"}))
        give_up_at = trio.current_time() + resumption.grace
        is_without_network = False
        for pause in pauses():
            await trio.sleep(min(pause, LONGEST_PAUSE_OFFLINE) if is_without_network else pause)
            if trio.current_time() > give_up_at:
                break
            try:
                async with self._reopen(resumption.websocket_url) as signaling:
                    return await self._go_on(signaling)
            except CallFailed as failure:
                if is_hopeless(failure):
                    break
                is_without_network = is_offline(failure)
        return lost

    async def _go_on(self, signaling: Signaling) -> WebSocketClosed:
        self._signaling, self._is_away, self._awaits_answer = signaling, False, False
        self._came_back.wake()
        self.push_event(OtherEvent("signaling", {"state": "resumed"}))
        self._look_for_media()
        return await self._read()

    def _look_beside(self) -> None:
        """The gateway has lost its way to us, a relay perhaps, which we would be late to see, or wants another."""
        if self._resumption is not None and self.connected.is_set() and not self._media_failure:
            self._look_for_media()

    def _look_for_media(self) -> None:
        """By another way, beside the one that there is, or was; what has failed has as much time as at first.

        Who looks already goes on: an answer does not say to which of two offers it is (RFC 3264 §4).
        """
        if self._media_failure:
            self._end_after(self._setup_timeout)
        if self._awaits_answer:
            return
        self._awaits_answer = True
        try:
            self._leg.begin(trio.current_time())
        except BaseException as error:
            stop(error, self.failed)

    def _handle_close(self, closed: WebSocketClosed) -> None:
        """The gateway says bye and then closes, with a code that tells a failure from an end in good order."""
        self.gateway_restarts = closed.code == SERVICE_RESTART
        if closed.code == INTERNAL_ERROR or not (self._last_word or closed.code == NORMAL):
            self._break(why_closed(closed))
        else:
            self._end_or_fail(self._last_word or closed.reason or "the gateway hung up")

    def _take(self, message: ServerMessage | Audio) -> None:
        try:
            self._handle_message(message)
        except RemoteError as error:
            self.failed(CallFailed(f"the gateway's {type_of(message)} cannot be used: {error}"))
        except BaseException as error:
            stop(error, self.failed)

    def _handle_message(self, message: ServerMessage | Audio) -> None:
        match message:
            case Audio(data):
                self._leg.handle_audio(data, trio.current_time())
            case Text(text):
                self._leg.messenger.handle_text(text)
            case Event("resume", data):
                self._resumption = resumption_of(data)  # it has a token in it, and is no news to anybody else
            case Event("ice_servers", data):
                self._use_ice_servers(parse_ice_servers_untrusted(data.get("iceServers")))  # with credentials, too
            case Event(name, data) as event:
                if name == "restart_ice" or (name, data.get("state")) == ("connection", ConnectionState.FAILED.value):
                    self._look_beside()
                if message == FLUSH:
                    self._leg.stop_playout()
                if self.info.transport != WEBRTC and (told := stream_message_untrusted(event)) is not None:
                    self._leg.handle(told, trio.current_time())
                    return
                self.push_event(OtherEvent(name, data))
            case Answer():
                self._awaits_answer = False
                self._leg.handle(message, trio.current_time())
            case Error(code, sentence) if not self.connected.is_set():
                self.failed(CallFailed(f"the gateway refuses: {sentence} ({code})"))
            case Error(code, sentence):
                self._awaits_answer = False  # it may have been the offer that is refused
                self.push_event(OtherEvent("error", {"code": code, "message": sentence}))
            case Bye(reason):
                self.hung_up(reason)
            case _:
                self._leg.handle(message, trio.current_time())

    # The leg calls these, and ``hear`` and ``spoke``: see ``LegOwner``

    def state_changed(self, state: ConnectionState, reason: str) -> None:
        """The call comes about, or ends."""
        if state is ConnectionState.CONNECTED and not self.connected.is_set():
            self._end_after(math.inf)
            self._leg.start_media()
            self.connected.set()
        elif state is ConnectionState.CONNECTED and self._media_failure:
            self._media_failure = ""
            self._end_after(math.inf)
        elif state is ConnectionState.DISCONNECTED:
            self.nursery.start_soon(self._signaling.probe)  # both go when this machine comes to another network
        elif state is ConnectionState.FAILED:
            self._break(self._why_media_failed(reason))
        elif state is ConnectionState.CLOSED:
            self._end_after(LAST_WORD_TIMEOUT, self._last_word or "the gateway has closed the media connection")

    def media_lost(self, reason: str) -> None:
        """It can come back while the gateway waits for that."""
        self._media_failure = self._why_media_failed(reason)
        if self._is_away:
            return  # there is an end to that, too
        if self._resumption is None:
            self._break(self._media_failure)
        else:
            self._look_for_media()

    def path_found(self) -> None:
        """How far the setup has come matters to the gateway's observers; a caller waits for media."""

    def connection_changed(self) -> None:
        """A caller keeps its own."""

    def notes(self, topic: Topic, sentence: str) -> None:
        """The gateway keeps a trace; a caller sees how the call ends."""

    def says(self, message: SignalingMessage) -> None:
        """To the gateway. Clients have no ``event`` message: theirs travel as text, as on a data channel."""
        match message:
            case Event():
                self._signaling.send(Text(encode_message(message)))
            case Offer() | TrickledCandidate() | Text() | Mark() | Key():
                self._signaling.send(message)

    def takes_audio(self) -> bool:
        """Until the end."""
        return not self.end_reason

    def plays(self, audio: bytes | Mark) -> int:
        """To the gateway, which has marks of its own."""
        return self._signaling.play(audio) if isinstance(audio, bytes) else 0

    def stops_playing(self) -> None:
        """Nobody interrupts a caller."""

    def received(self, message: Message) -> None:
        """From the gateway's agent."""
        self.push_message(message)

    def hung_up(self, reason: str) -> None:
        """The gateway has ended the call, and is about to say how."""
        self._last_word = reason or "the gateway hung up"
        self._end_after(LAST_WORD_TIMEOUT, self._last_word)

    def failed(self, error: BaseException) -> None:
        """The call has failed, of itself or by a bug of this side."""
        if not self.end_reason:
            self.failure = error
        self._end(str(error) if isinstance(error, CallFailed) else "internal error")

    def wants_messages(self) -> bool:
        """Not while they are not read."""
        return not self.messages.is_behind

    async def room(self) -> None:
        """The gateway reads at once, and who sends too much is told so; while it is away nothing is sent."""
        await trio.lowlevel.checkpoint()
        while self._is_away:
            await self._came_back.wait()

    @property
    def _transport(self) -> TransportStats | None:
        """None while there is none."""
        return self.statistics().transport

    def _why_media_failed(self, reason: str) -> str:
        is_connected = self.connected.is_set()
        return why_media_failed(self._transport, reason, self._why_no_way(), connected=is_connected)

    def _end_after(self, seconds: float, reason: str = "") -> None:
        """Unless something happens before; replaces the deadline before this one."""
        self._scope.deadline = trio.current_time() + seconds
        self._scope_reason = reason

    def _end_or_fail(self, reason: str) -> None:
        """The far end has ended the call: a failure only if it never came about."""
        if self.connected.is_set():
            self._end(reason)
        else:
            self._break(reason)

    def _break(self, why: str) -> None:
        """The call has failed, and this side has not caused it."""
        self.failed(CallFailed(why if self.connected.is_set() else f"the call did not come about: {why}"))

    def _end(self, reason: str) -> None:
        """End the call now, and tell the gateway if it is there; only the first call of this does anything."""
        if not self.end_reason:
            self.end_reason = reason or "ended"
            self._leg.close()
            self._scope.cancel()
            self._signaling.send(Bye(self.end_reason))
