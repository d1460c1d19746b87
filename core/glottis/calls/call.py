"""The call that an agent is given: bounded streams above a peer connection."""

import logging
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, cast

import trio

from glottis.calls.dtmf import KeyStream, tones_of
from glottis.calls.events import EventStream
from glottis.calls.forwarding import Fan, taker_of
from glottis.calls.handover import Handover
from glottis.calls.inbox import Inbox
from glottis.calls.limits import DEFAULT_LIMITS, CallLimits
from glottis.calls.messenger import Sender
from glottis.calls.metadata import MAX_METADATA, Metadata
from glottis.calls.nursery import CallNursery
from glottis.calls.sayable import check_frame, check_packet, speakable_pcm
from glottis.calls.speech import Speech
from glottis.calls.streams import DroppingStream
from glottis.calls.turns import TurnStream
from glottis.calls.typed_messages import type_of
from glottis.calls.utterance import source_of
from glottis.calls.voice import Voice, next_heard, next_keys
from glottis.contracts.audio import AudioFrame, EncodedPacket
from glottis.contracts.call import (
    Agent,
    BytesMessage,
    Call,
    Dropped,
    Heard,
    Message,
    Speakable,
    TextMessage,
    TypedMessage,
    Utterance,
)
from glottis.contracts.checks import bytes_of, check_instance, check_text
from glottis.contracts.errors import LocalError, Malformed
from glottis.contracts.events import CallEvent, OtherEvent, check_event
from glottis.contracts.info import CallInfo
from glottis.contracts.json_object import decoded
from glottis.contracts.resampling import Resampling
from glottis.contracts.statistics import AgentStats, Statistics
from glottis.contracts.turns import DEFAULT_TURNS, TurnSettings, VoiceActivityDetector
from glottis.signaling.json_input import split_object_untrusted
from glottis.signaling.session_request import WEBRTC

logger = logging.getLogger(__name__)


class GatewayCall(Call):
    """Pushes from the wheel on one side, the agent's coroutines on the other.

    ``caught_up`` is called when the agent is no longer behind with its messages, ``sent`` for each that it has sent.
    ``handover`` knows its colleagues. ``resampling`` is for listeners of other rates; without it, there can be none.
    ``statistics`` asks for what was counted of all of the call.
    """

    def __init__(
        self,
        info: CallInfo,
        *,
        sample_rate: int,
        voice: Voice,
        messenger: Sender,
        hang_up: Callable[[str], None],
        restart_ice: Callable[[], None] = lambda: None,
        caught_up: Callable[[], None] = lambda: None,
        handover: Handover | None = None,
        resampling: Resampling | None = None,
        sent: Callable[[Message | OtherEvent], None] = lambda message: None,
        limits: CallLimits = DEFAULT_LIMITS,
        inbox: Inbox | None = None,
        statistics: Callable[[], Statistics] = Statistics,
    ) -> None:
        self._info = info
        self._metadata = Metadata(info.metadata)
        self._seen_info: CallInfo | None = None
        """What the agent was given, when it last looked."""
        self.sample_rate = sample_rate
        self.frame_ms = round(1000 * voice.frame_seconds)
        self._voice = voice
        self._messenger = messenger
        self._hang_up = hang_up
        self._restart_ice = restart_ice
        self._resampling = resampling
        self._handover = handover or Handover({}, lambda name: None)
        self._sent = sent
        self._statistics = statistics
        self._serving_since: float | None = None
        waiting = limits.audio_frames(voice.frame_seconds)
        self._audio: Fan[AudioFrame] = Fan(waiting)
        self._packets: Fan[EncodedPacket] = Fan(waiting)
        self._messages = inbox if inbox is not None else Inbox(caught_up)
        self._dtmf = KeyStream()
        self._events = EventStream()
        self._turns: TurnStream | None = None
        self._turn_frames_dropped = 0
        self._speech = Speech(voice, sample_rate=sample_rate, limit=limits.say_queue)
        self._metadata_is_refused = False

    # What the agent calls

    @property
    def info(self) -> CallInfo:
        """See ``Call.info``."""
        if self._seen_info is None or self._metadata.has_changed:
            variables = decoded(self._info.dynamic_variables)
            self._seen_info = replace(self._info, metadata=self._metadata.values(), dynamic_variables=variables)
        return self._seen_info

    @property
    def audio(self) -> DroppingStream[AudioFrame]:
        """See ``Call.audio``."""
        return self._audio.stream

    @property
    def packets(self) -> DroppingStream[EncodedPacket]:
        """See ``Call.packets``."""
        return self._packets.stream

    @property
    def messages(self) -> Inbox:
        """See ``Call.messages``."""
        return self._messages

    @property
    def dtmf(self) -> KeyStream:
        """See ``Call.dtmf``."""
        return self._dtmf

    @property
    def events(self) -> EventStream:
        """See ``Call.events``."""
        return self._events

    async def say(self, audio: AudioFrame | EncodedPacket) -> None:
        """See ``Call.say``."""
        # The queue is bounded, so whoever speaks on and on comes to wait soon: no need to yield here.
        await trio.lowlevel.checkpoint_if_cancelled()
        await self._speech.say(self._checked(audio))

    def start_saying(self, audio: Speakable | Sequence[Speakable] | AsyncIterable[Speakable]) -> Utterance:
        """See ``Call.start_saying``."""
        return self._speech.start(source_of(audio, self._checked_speakable), self.nursery.start_soon)

    @property
    def is_speaking(self) -> bool:
        """See ``Call.is_speaking``."""
        return self._speech.is_going_on

    def say_nowait(self, audio: AudioFrame | EncodedPacket) -> None:
        """See ``Call.say_nowait``."""
        self._speech.say_nowait(self._checked(audio))

    def forward(self, to: Call, *, encoded: bool = False) -> AbstractContextManager[None]:
        """See ``Call.forward``."""
        check_instance("to", to, Call)
        check_instance("encoded", encoded, bool)
        if encoded:
            return self._packets.taken_by(to.say_nowait)
        return self._audio.taken_by(taker_of(to, self.sample_rate, self._resampling))

    def turns(self, detector: VoiceActivityDetector, settings: TurnSettings = DEFAULT_TURNS) -> TurnStream:
        """See ``Call.turns``."""
        turns = TurnStream(
            detector,
            settings,
            self._audio,
            sample_rate=self.sample_rate,
            frame_seconds=self._voice.frame_seconds,
            lost=self._count_turn_frames,
        )
        if self._turns is not None:
            self._turns.close()
        self._turns = turns
        self.nursery.start_soon(self._listen, turns)
        return turns

    async def _listen(self, turns: TurnStream) -> None:
        try:
            await turns.listen()
        finally:
            if self._turns is turns:
                self._turns = None  # which has a way back to the call

    def _count_turn_frames(self, count: int) -> None:
        self._turn_frames_dropped += count

    @property
    def dropped(self) -> Dropped:
        """See ``Call.dropped``."""
        return Dropped(
            audio=self._audio.dropped,
            packets=self._packets.dropped,
            turns=self._turn_frames_dropped,
            dtmf=self._dtmf.dropped,
            messages=self._messages.dropped,
            events=self._events.dropped,
        )

    async def stats(self) -> Statistics:
        """See ``Call.stats``."""
        await trio.lowlevel.checkpoint()
        return self._statistics()

    def flush(self) -> Heard:
        """See ``Call.flush``."""
        return self._speech.flush()

    async def drain(self) -> None:
        """See ``Call.drain``."""
        await self._speech.drain()

    async def send_dtmf(self, digits: str, *, duration: float = 0.1, gap: float = 0.06) -> None:
        """See ``Call.send_dtmf``."""
        tones = tones_of(digits, duration, gap)
        if not self._voice.takes_tones:
            raise LocalError("the caller takes no DTMF: its description has no telephone-event")
        await self._speech.press(tones)

    async def send_text(self, text: str, channel: str | None = None) -> None:
        """See ``Call.send_text``."""
        check_text("text", text)
        _check_channel(channel)
        await self._messenger.send_text(text, channel)
        self._sent(TextMessage(text, channel))

    async def send_bytes(self, data: bytes, channel: str | None = None) -> None:
        """See ``Call.send_bytes``."""
        _check_channel(channel)
        content = bytes_of("data", data)
        await self._messenger.send_bytes(content, channel)
        self._sent(BytesMessage(content, channel or ""))

    async def wait_for_channel(self, label: str | None = None) -> str:
        """See ``Call.wait_for_channel``."""
        _check_channel(label)
        if self._info.transport != WEBRTC:
            raise LocalError(f"a call by {self._info.transport} has no data channels: send text and events")
        return await self._messenger.wait_for_channel(label)

    async def send_event(self, name: str, data: Mapping[str, Any]) -> None:
        """See ``Call.send_event``."""
        check_event(name, data)
        await self._messenger.send_event(name, data)
        self._sent(OtherEvent(name, data))

    @property
    def agents(self) -> Sequence[str]:
        """See ``Call.agents``."""
        return self._handover.names

    def transfer(self, to: str | Agent) -> None:
        """See ``Call.transfer``."""
        self._handover.plan(to)
        self.nursery.cancel_scope.cancel()

    def restart_ice(self) -> None:
        """See ``Call.restart_ice``."""
        self._restart_ice()

    def hang_up(self, reason: str = "agent hung up") -> None:
        """See ``Call.hang_up``."""
        check_text("reason", reason)
        self._hang_up(reason)

    # What the session calls

    async def converse(
        self, agent: Agent, failed: Callable[[BaseException], object], *beside: Callable[[], Awaitable[object]]
    ) -> None:
        """Give the call to the agent until it returns and all it said and wrote is sent.

        Its background tasks end with it, and so does what is to run ``beside`` it. ``failed`` gets what they raise.
        The agent has a task of its own: whatever it does to the scopes of that, those around are whole.
        """
        async with trio.open_nursery() as nursery:
            for task in beside:
                nursery.start_soon(task)
            nursery.start_soon(self._hold, agent, failed, nursery.cancel_scope)

    async def _hold(self, agent: Agent, failed: Callable[[BaseException], object], scope: trio.CancelScope) -> None:
        serving: Agent | None = agent
        while serving is not None:
            self._serving_since = trio.current_time()
            await trio.lowlevel.checkpoint_if_cancelled()
            async with trio.open_nursery() as nursery:
                tasks = CallNursery(nursery, failed)
                self.nursery = cast(trio.Nursery, tasks)  # which is final
                await tasks.run(serving(self))
                await self.drain()
                nursery.cancel_scope.cancel()
            serving = self.next_agent()
        await self._messenger.flush()
        scope.cancel()

    def agent_statistics(self) -> AgentStats:
        """See ``Conversation.agent_statistics``."""
        return AgentStats(
            serving_time=None if self._serving_since is None else trio.current_time() - self._serving_since,
            audio_waiting=len(self._audio.stream) * self._voice.frame_seconds,
            messages_waiting=len(self._messages),
            speech_queued=self._voice.queued,
        )

    def next_agent(self) -> Agent | None:
        """Whom the agent before has handed the call to, if it has; from now on the call is for this one."""
        colleague = self._handover.take()
        if colleague is None:
            return None
        if colleague.settings is not None:
            self._info = replace(self._info, campaign_settings=colleague.settings)
            self._seen_info = None
        return colleague.agent

    def hear(self, now: float) -> None:
        """A media tick: fetch what is due from the jitter buffer, as far as anybody listens."""
        frame, packets = next_heard(self._voice, now, frames=self._audio.is_wanted, packets=self._packets.is_wanted)
        if keys := next_keys(self._voice, now):
            self._dtmf.follow(keys)
        if frame is not None:
            self._audio.push(frame)
        for packet in packets:
            self._packets.push(packet)

    def spoke(self) -> None:
        """A media tick has sent something: there may be room again."""
        self._speech.changed()

    def push_message(self, message: Message) -> None:
        """The caller has sent a message; one of the type ``metadata`` also adds to ``info.metadata``."""
        if isinstance(message, TextMessage | TypedMessage):
            self._add_metadata(message.text)
        nothing_was_lost = not self._messages.dropped
        self._messages.push(message)
        if nothing_was_lost and self._messages.dropped:
            logger.warning("session %s: the agent reads no messages: the oldest are dropped", self._info.session_id)

    def _add_metadata(self, text: str) -> None:
        if type_of(text) != "metadata":
            return
        try:
            members = {name: bytes(value) for name, value in split_object_untrusted(text).items()}
        except Malformed:  # which nests as deeply as our stack just bears, or has too many values
            return
        del members["type"]
        if not self._metadata.add(members) and not self._metadata_is_refused:
            self._metadata_is_refused = True
            logger.warning("session %s: metadata beyond %d bytes is ignored", self._info.session_id, MAX_METADATA)

    def push_event(self, event: CallEvent) -> None:
        """Something has happened to the call."""
        self._events.push(event)

    def _checked(self, audio: AudioFrame | EncodedPacket) -> bytes | EncodedPacket:
        if isinstance(audio, EncodedPacket):
            check_packet(audio, self._voice.encoding_name)
            return audio
        check_frame(audio, self.sample_rate)
        return audio.pcm

    def _checked_speakable(self, audio: Speakable) -> bytes | EncodedPacket:
        if isinstance(audio, AudioFrame | EncodedPacket):
            return self._checked(audio)
        pcm = speakable_pcm(audio)
        check_frame(AudioFrame(pcm, self.sample_rate), self.sample_rate)
        return pcm


def _check_channel(label: str | None) -> None:
    if label is not None:
        check_instance("channel", label, str)
