"""A call that was kept, run again: its entries at their times, and an agent that hears them, on virtual time."""

import math
from collections.abc import Sequence

import trio
import trio.lowlevel

from glottis.barrier import stop
from glottis.calls.call import GatewayCall
from glottis.calls.typed_messages import message_of
from glottis.contracts.call import Agent, BytesMessage, Call, Message
from glottis.contracts.codec import CodecSpec
from glottis.contracts.errors import Malformed
from glottis.contracts.events import OtherEvent
from glottis.contracts.info import CallInfo
from glottis.lab.plan import Delay
from glottis.lab.replaying.hearing import Hearing
from glottis.lab.replaying.outcome import About, Outcome, Written, Wrote, read_datum_untrusted, read_json_untrusted
from glottis.peer.overheard import read_agreement_untrusted
from glottis.plugins.blame import first_of
from glottis.testing.fake_client import FakeClient
from glottis.testing.virtual_time import on_virtual_time
from glottis.wire.call_file import CallFile, Entry, Kind, event_content, message_content


def run_again_untrusted(
    kept: CallFile, agent: Agent | None, codecs: Sequence[CodecSpec], delay: Delay | None = None
) -> Outcome:
    """In no more time than it computes. Without an agent the call is only heard.

    Raises ``Malformed`` for a file that holds no audio or cannot be read, ``ConfigurationError`` where a codec is
    missing.
    """
    again = _Again(kept, codecs, delay)
    on_virtual_time(again.run_untrusted, agent or _listen)
    return again.outcome()


async def _listen(call: Call) -> None:
    async for _ in call.audio:
        pass


class _Again:
    def __init__(self, kept: CallFile, codecs: Sequence[CodecSpec], delay: Delay | None) -> None:
        self._entries = sorted(kept.entries, key=lambda entry: entry.at)  # what came before the keys is told after them
        first = next((entry for entry in self._entries if entry.kind is Kind.NEGOTIATED), None)
        if first is None:
            raise Malformed("call file: it holds no audio: calls by WebRTC are kept")
        agreement = read_agreement_untrusted(first.content)
        about = next((entry for entry in self._entries if entry.kind is Kind.ABOUT), None)
        campaign = read_json_untrusted(about, About).campaign if about is not None else ""
        self._hearing = Hearing(agreement, codecs, delay)
        self._client = FakeClient(self._push)
        self._wrote: list[Wrote] = []
        self._events: list[Wrote] = []
        self._reason = self._failed = ""
        self._ended_at = math.nan
        self._now = 0.0
        self._scope = trio.CancelScope()
        self._call = GatewayCall(
            CallInfo(session_id="replay", campaign_id=campaign),
            sample_rate=agreement.sample_rate,
            voice=self._hearing.track,
            messenger=self._client.messenger,
            hang_up=self._end,
            sent=self._sent,
        )

    async def run_untrusted(self, agent: Agent) -> None:
        """Until the file is over, or the agent ends the call."""
        begin = trio.current_time()
        with self._scope:
            async with trio.open_nursery() as nursery:
                for entry in self._entries:
                    if begin + entry.at > trio.current_time():
                        await trio.sleep_until(begin + entry.at)
                    self._now = entry.at
                    if entry.kind is Kind.KEYS and math.isnan(self._ended_at):
                        nursery.start_soon(self._converse, agent)
                    self._handle_untrusted(entry)
                await trio.lowlevel.checkpoint()
                self._end("the caller hung up")

    async def _converse(self, agent: Agent) -> None:
        try:
            await self._call.converse(agent, self._fail)
            self._end("the agent ended the call")
        except BaseException as error:
            stop(error, self._fail)

    def _handle_untrusted(self, entry: Entry) -> None:
        match entry.kind:
            case Kind.TEXT:
                written = read_json_untrusted(entry, Written)
                self._write(message_of(written.text, written.channel))
            case Kind.BYTES:
                channel, data = read_datum_untrusted(entry)
                self._write(BytesMessage(data, channel))
            case _:
                self._hearing.handle_untrusted(entry, self._tick)

    def _write(self, message: Message) -> None:
        self._client.write(message)

    def _push(self, message: Message) -> None:
        self._call.push_message(message)

    def _tick(self, now: float) -> None:
        self._call.hear(now)
        if self._hearing.speak(now):
            self._call.spoke()

    def _sent(self, what: Message | OtherEvent) -> None:
        at = round(trio.current_time(), 3)
        if isinstance(what, OtherEvent):
            self._events.append(Wrote(at, event_content(what).decode()))
        else:
            self._wrote.append(Wrote(at, message_content(what).decode()))

    def _fail(self, error: BaseException) -> None:
        first = first_of(error)
        self._failed = f"{type(first).__name__}: {first}"
        self._end("the agent failed")

    def _end(self, reason: str) -> None:
        if math.isnan(self._ended_at):
            self._ended_at, self._reason = self._now, reason
            self._scope.cancel()

    def outcome(self) -> Outcome:
        """Once it has run."""
        hearing = self._hearing
        return Outcome(
            ended_at=round(self._ended_at, 3),
            reason=self._reason,
            figures=hearing.figures(self._ended_at),
            keys=hearing.keys,
            spoke=hearing.speaking.times(),
            wrote=tuple(self._wrote),
            events=tuple(self._events),
            sound=hearing.sound(),
            levels=hearing.levels(),
            failed=self._failed,
        )
