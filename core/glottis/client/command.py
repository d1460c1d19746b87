"""``glottis call``: speak a file to a gateway, keep what comes back, and tell how it went."""

import json
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack
from itertools import repeat
from pathlib import Path
from typing import Final

import msgspec
import trio

from glottis.calls.summary import numbers
from glottis.client.call import ClientCall
from glottis.client.calling import CallRequest, open_client_call
from glottis.client.sound_card import OpenSoundCard, SoundCard
from glottis.client.wav import WavRecording, WavSpeech
from glottis.config import IcePolicy
from glottis.config.settings import DEFAULT_CODECS
from glottis.contracts.audio import BYTES_PER_SAMPLE, FRAME_SECONDS, AudioFrame
from glottis.contracts.call import BytesMessage
from glottis.contracts.codec import CodecSpec
from glottis.contracts.errors import ConfigurationError, GlottisError, LocalError
from glottis.contracts.events import CallEvent
from glottis.contracts.ice_servers import IceServer
from glottis.contracts.secret import Secret
from glottis.plugins import Registry

EXIT_FAILED: Final = 1
NO_AUDIO: Final = "no audio came, though the media connection stood: the campaign's agent has said nothing"
CHANNEL_TIME: Final = 5.0
"""Seconds from the connection to an open data channel."""
SILENT_RATE: Final = 48000
"""Hertz, of the recording when there is no file to speak."""


class CallerOptions(msgspec.Struct, frozen=True):
    """What the command line says. ``listen`` is in seconds, after the end of the file."""

    url: str
    campaign: str = "echo"
    codec: str | None = None
    """One of CONTRACT's words; None offers all."""
    wav: Path | None = None
    record: Path | None = None
    text: str | None = None
    dtmf: str = ""
    """Keys to press after the speech."""
    api_key: Secret | None = None
    listen: float = 1.0
    websocket: bool = False
    """Whether audio travels by the WebSocket instead of WebRTC."""
    ice_servers: tuple[IceServer, ...] = ()
    ice_policy: IcePolicy = "all"
    data_channel: str | None = None
    """The label of one to open, for the text."""


def run(options: CallerOptions, registry: Registry) -> int:
    """Make the call, with the codecs of ``registry``; returns the exit code: 0 if media flowed until a side hung up."""
    return trio.run(call_from_terminal, options, registry)


async def call_from_terminal(options: CallerOptions, registry: Registry, sound_card: SoundCard | None = None) -> int:
    """The same within trio. With a sound card, a person speaks and listens, until they or the agent hang up."""
    return await _Caller(options, registry, sound_card).run()


class _Caller:
    def __init__(self, options: CallerOptions, registry: Registry, sound_card: SoundCard | None) -> None:
        self._options = options
        self._registry = registry
        self._sound_card = sound_card
        self._call: ClientCall | None = None
        self._connected_at: float | None = None
        self._began = 0.0
        self._first_audio: float | None = None
        """Seconds from the request for a session."""
        self._error: GlottisError | None = None

    async def run(self) -> int:
        """Call until the end, or until SIGINT or SIGTERM; both hang up."""
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_at_signal, signals, nursery.cancel_scope)
                await self._attempt()
                nursery.cancel_scope.cancel()
        return self._conclude()

    async def _attempt(self) -> None:
        try:
            await self._make_call()
        except GlottisError as error:
            self._error = error

    async def _make_call(self) -> None:
        self._began = trio.current_time()
        options = self._options
        codecs = _codecs(self._registry, options.codec)
        with ExitStack() as files:
            speech = options.wav and files.enter_context(WavSpeech(options.wav, _sample_rates(codecs)))
            rate = speech.sample_rate if speech else _silent_rate(codecs)
            card = files.enter_context(self._sound_card.open(rate)) if self._sound_card else None
            recording = options.record and files.enter_context(WavRecording(options.record, rate))
            request = CallRequest(
                options.url,
                codecs,
                options.campaign,
                rate,
                options.codec,
                options.api_key,
                options.websocket,
                ice_servers=options.ice_servers,
                ice_policy=options.ice_policy,
                data_channel=options.data_channel,
            )
            async with open_client_call(request, waits=_tell_place) as call:
                self._call = call
                call.nursery.start_soon(self._notice_audio, call)
                if listeners := [each for each in (card, recording) if each]:
                    call.nursery.start_soon(_hear, call, listeners)
                await self._converse(call, speech.frames() if speech else iter(()), card)

    async def _converse(self, call: ClientCall, speech: Iterator[AudioFrame], card: OpenSoundCard | None) -> None:
        """Say everything, then what the microphone hears; without one be silent, as it is: it goes on sending."""
        call.nursery.start_soon(_tell_events, call)
        call.nursery.start_soon(_tell_messages, call)
        call.nursery.start_soon(_tell_keys, call)
        await call.connected.wait()
        self._connected_at = trio.current_time()
        if self._options.text is not None:
            await _send_text(call, self._options)
        for frame in speech:
            await call.say(frame)
        if self._options.dtmf:
            await call.send_dtmf(self._options.dtmf)
        if card:
            async for frame in card.frames():
                await call.say(frame)
        await call.drain()
        with trio.move_on_after(self._options.listen):
            for frame in repeat(_silence(call.sample_rate)):
                await call.say(frame)

    async def _notice_audio(self, call: ClientCall) -> None:
        await call.heard.wait()
        self._first_audio = trio.current_time() - self._began

    def _conclude(self) -> int:
        """Print a line of numbers if there was a call, and one of complaint if it went wrong."""
        complaint = str(self._error or "interrupted")
        if self._call is not None and self._connected_at is not None:
            sys.stdout.write(f"{_summary(self._call, trio.current_time() - self._connected_at, self._first_audio)}\n")
            if self._error is None:
                inbound = self._call.statistics().inbound_rtp
                complaint = "" if inbound is not None and inbound.packets_received else NO_AUDIO
        if complaint:
            sys.stderr.write(f"glottis: {_printable(complaint)}\n")
        return EXIT_FAILED if complaint else 0


async def _send_text(call: ClientCall, options: CallerOptions) -> None:
    """By the data channel, where one is asked for; raises ``LocalError`` if the gateway takes none."""
    if options.data_channel is not None:
        with trio.move_on_after(CHANNEL_TIME) as patience:
            await call.wait_for_channel(options.data_channel)
        if patience.cancelled_caught:
            raise LocalError(f"--data-channel: no data channel was open within {CHANNEL_TIME:g} s")
    await call.send_text(options.text or "", options.data_channel)


async def _cancel_at_signal(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    await anext(signals)
    scope.cancel()


def _codecs(registry: Registry, name: str | None) -> tuple[CodecSpec, ...]:
    """The codecs to offer: the one that is asked for, else all that are installed, in the gateway's order."""
    if name is not None:
        return (_named_codec(registry, name),)
    codecs = tuple(registry.codecs.find(name).spec for name in DEFAULT_CODECS if name in registry.codecs)
    if not codecs:
        raise LocalError("no codec is installed: install glottis-opus or glottis-spandsp")
    return codecs


def _named_codec(registry: Registry, name: str) -> CodecSpec:
    try:
        return registry.codecs.find(name).spec
    except ConfigurationError as error:
        raise LocalError(f"--codec: {error}") from None


def _sample_rates(codecs: tuple[CodecSpec, ...]) -> list[int]:
    """In hertz, what every one of the codecs can speak directly."""
    return sorted(set.intersection(*(set(codec.sample_rates) for codec in codecs)))


def _silent_rate(codecs: tuple[CodecSpec, ...]) -> int:
    rates = _sample_rates(codecs)
    return SILENT_RATE if SILENT_RATE in rates else max(rates)


def _silence(sample_rate: int) -> AudioFrame:
    return AudioFrame(bytes(round(sample_rate * FRAME_SECONDS) * BYTES_PER_SAMPLE), sample_rate)


async def _hear(call: ClientCall, listeners: Sequence[WavRecording | OpenSoundCard]) -> None:
    async for frame in call.audio:
        for listener in listeners:
            listener.write(frame)


async def _tell_events(call: ClientCall) -> None:
    async for event in call.events:
        _tell(_description(event))


async def _tell_keys(call: ClientCall) -> None:
    async for press in call.dtmf:
        _tell(f"key: {press.digit}")


async def _tell_messages(call: ClientCall) -> None:
    async for message in call.messages:
        _tell(f"text: {message.data!r}" if isinstance(message, BytesMessage) else f"text: {message.text}")


def _description(event: CallEvent) -> str:
    """Changes of state in words, other events as they are."""
    state, reason = event.data.get("state"), event.data.get("reason")
    if not isinstance(state, str):
        return f"{event.name}: {json.dumps(event.data, ensure_ascii=False)}"
    return f"{event.name}: {state} ({reason})" if reason else f"{event.name}: {state}"


def _tell_place(place: int) -> None:
    _tell(f"the gateway has no room yet: place {place} in its queue")


def _tell(line: str) -> None:
    sys.stderr.write(f"{_printable(line)}\n")


def _printable(text: str) -> str:
    """The gateway's words without what could command a terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)


def _summary(call: ClientCall, seconds: float, first_audio: float | None) -> str:
    statistics = call.statistics()
    pair = statistics.candidate_pair
    way = f" by {pair.protocol} ({pair.local_candidate_type} to {pair.remote_candidate_type})" if pair else ""
    heard = "no audio" if first_audio is None else f"first audio after {first_audio:.2f} s"
    return f"call of {seconds:.1f} s, {heard}{way}, {numbers(statistics)}; end: {_printable(call.end_reason)}"
