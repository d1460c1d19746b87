"""The worker's end of a call: the agent's real ``Call``, with the pipe where the gateway has leg and session."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import astuple

import trio

from glottis.barrier import stop
from glottis.calls.call import GatewayCall
from glottis.calls.handover import Handover
from glottis.calls.inbox import Inbox
from glottis.calls.limits import CallLimits
from glottis.calls.streams import DroppingStream
from glottis.calls.turns import TurnStream
from glottis.contracts.audio import AudioFrame, EncodedPacket
from glottis.contracts.call import BytesMessage, Call, Dropped, Message, TextMessage
from glottis.contracts.errors import MessageTooLong
from glottis.contracts.info import CallInfo
from glottis.contracts.statistics import Statistics
from glottis.contracts.turns import DEFAULT_TURNS, TurnSettings, VoiceActivityDetector
from glottis.isolation import messages
from glottis.isolation.messages import MAX_NAME, MAX_REASON, FromGateway, FromWorker
from glottis.isolation.orders import Made
from glottis.isolation.pickles import unpickled
from glottis.isolation.pipe_messenger import PipeMessenger
from glottis.isolation.pipe_voice import PipeVoice
from glottis.plugins.blame import culprit, first_of
from glottis.plugins.failures import describe, log_failure

logger = logging.getLogger(__name__)

Send = Callable[[FromWorker], None]


class ToldInbox(Inbox):
    """Tells the gateway how full it is, so that the client is held back as if it were there."""

    def __init__(self, call: int, send: Send) -> None:
        super().__init__(lambda: None)
        self._call = call
        self._send = send
        self._received = 0

    def push(self, item: Message) -> None:
        """See ``Inbox.push``."""
        self._received += 1
        super().push(item)
        self._tell()

    def __aiter__(self) -> "ToldInbox":
        super().__aiter__()
        self._tell()
        return self

    async def __anext__(self) -> Message:
        was_read = self.is_read
        try:
            if not was_read:
                self.is_read = True
                self._tell()
            return await super().__anext__()
        finally:
            self._tell()

    def _tell(self) -> None:
        count, size = self.fill
        self._send(messages.Waiting(self._call, self._received, count, size, self.is_read))


class WorkerCall(GatewayCall):
    """``run`` has the agent converse; the rest is told by the gateway."""

    def __init__(self, begin: messages.Begin, made: Made, send: Send) -> None:
        info: CallInfo = made.informed(unpickled(begin.info), begin.agent)
        self._number = begin.call
        self._made = made
        self._first = made.agents[begin.agent]
        self._send = send
        self._line = PipeVoice(begin.call, made.sample_rate, send, made.frame_ms)
        self._ways = PipeMessenger(begin.call, send)
        self._wants = messages.Wants(begin.call, audio=False, packets=False)
        self._missed = Dropped()
        self._scope = trio.CancelScope()
        super().__init__(
            info,
            sample_rate=made.sample_rate,
            voice=self._line,
            messenger=self._ways,
            hang_up=self._end,
            restart_ice=lambda: send(messages.RestartIce(begin.call)),
            handover=Handover(made.agents, self._hands_over),
            limits=CallLimits(say_queue=begin.say_queue, audio_queue=begin.audio_queue),
            inbox=ToldInbox(begin.call, send),
        )

    # What the agent listens to: the gateway is told when it first asks for it, and then sends it

    @property
    def audio(self) -> DroppingStream[AudioFrame]:
        """See ``Call.audio``."""
        self._want(audio=True)
        return super().audio

    @property
    def packets(self) -> DroppingStream[EncodedPacket]:
        """See ``Call.packets``."""
        self._want(packets=True)
        return super().packets

    def turns(self, detector: VoiceActivityDetector, settings: TurnSettings = DEFAULT_TURNS) -> TurnStream:
        """See ``Call.turns``."""
        self._want(audio=True)
        return super().turns(detector, settings)

    def forward(self, to: Call, *, encoded: bool = False) -> AbstractContextManager[None]:
        """See ``Call.forward``."""
        self._want(audio=not encoded, packets=encoded)
        return super().forward(to, encoded=encoded)

    def _want(self, *, audio: bool = False, packets: bool = False) -> None:
        before = self._wants
        wants = messages.Wants(self._number, audio=audio or before.audio, packets=packets or before.packets)
        if wants != before:
            self._wants = wants
            self._send(wants)

    async def stats(self) -> Statistics:
        """See ``Call.stats``."""
        return await self._ways.stats()

    # What the worker calls

    async def run(self) -> None:
        """Have the agent converse, until it has stopped."""
        try:
            with self._scope:
                await self.converse(self._first.agent, self._fail)
        except BaseException as error:
            stop(error, self._fail)
        finally:
            self.tell_dropped()
            self._send(messages.Stopped(self._number))

    def take(self, message: FromGateway) -> None:
        """What the gateway tells of this call."""
        match message:
            case messages.Heard():
                if message.voice is not None:
                    self.take(message.voice)
                self._line.heard(message)
                self.hear(trio.current_time())
            case messages.Keys():
                self._line.pressed(message)
                self.hear(trio.current_time())
            case messages.Voice():
                self._line.update(message)
                self.spoke()
            case messages.Text(_, text, channel):
                self.push_message(TextMessage(text, channel))
            case messages.Bytes(_, data, channel):
                self.push_message(BytesMessage(data, channel or ""))
            case messages.Happened(_, event):
                self.push_event(unpickled(event))
            case messages.Answer():
                self._ways.answered(message)
            case messages.Cancel():
                self._scope.cancel()

    def tell_dropped(self) -> None:
        """What the agent was too slow for, if it has become more."""
        dropped = self.dropped
        if dropped != self._missed:
            self._missed = dropped
            self._send(messages.Missed(self._number, *astuple(dropped)))

    def _hands_over(self, name: str) -> None:
        self._send(messages.HandedOver(self._number, name[:MAX_NAME]))

    def _end(self, reason: str) -> None:
        self._send(messages.HangUp(self._number, reason[:MAX_REASON]))
        self._scope.cancel()

    def _fail(self, error: BaseException) -> None:
        if isinstance(limit := first_of(error), MessageTooLong):
            self._send(messages.Failed(self._number, str(limit)[:MAX_REASON], is_too_long=True))
            return
        failed_in = culprit(error, self._made.plugins)
        sentence = f"{failed_in}: {describe(first_of(error))}"
        log_failure(logger, error, "session %s failed in %s", self.info.session_id, failed_in)
        self._send(messages.Failed(self._number, sentence[:MAX_REASON]))
