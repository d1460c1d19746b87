"""A call that was kept, run again: its entries at their times, and an agent that hears them, on virtual time."""

import math
from collections.abc import Sequence

import trio
import trio.lowlevel

from glottis.barrier import stop
from glottis.calls.call import GatewayCall
from glottis.contracts.call import Agent, BytesMessage, Call, Message, TextMessage, TypedMessage
from glottis.contracts.codec import CodecSpec
from glottis.contracts.events import OtherEvent
from glottis.contracts.info import CallInfo
from glottis.lab.plan import Delay
from glottis.lab.replaying.hearing import Hearing, check_codecs
from glottis.lab.replaying.outcome import Outcome, Wrote
from glottis.lab.replaying.reading import Kept, Step
from glottis.peer.overheard import Agreement
from glottis.plugins.blame import first_of
from glottis.testing.fake_client import FakeClient
from glottis.testing.virtual_time import on_virtual_time
from glottis.wire.call_file import Kind, event_content, message_content


def run_again(kept: Kept, agent: Agent | None, codecs: Sequence[CodecSpec], delay: Delay | None = None) -> Outcome:
    """In no more time than it computes. Without an agent the call is only heard.

    Raises ``ConfigurationError`` where a codec is missing.
    """
    for step in kept.steps:
        if isinstance(step.content, Agreement):
            check_codecs(step.content, codecs)
    again = _Again(kept, codecs, delay)
    on_virtual_time(again.run, agent or _listen)
    return again.outcome()


async def _listen(call: Call) -> None:
    async for _ in call.audio:
        pass


class _Again:
    def __init__(self, kept: Kept, codecs: Sequence[CodecSpec], delay: Delay | None) -> None:
        self._kept = kept
        self._hearing = Hearing(kept.first, codecs, delay)
        self._client = FakeClient(self._push)
        self._wrote: list[Wrote] = []
        self._events: list[Wrote] = []
        self._reason = self._failed = ""
        self._ended_at = math.nan
        self._now = 0.0
        self._has_begun = False
        self._scope = trio.CancelScope()
        self._call = GatewayCall(
            CallInfo(session_id="replay", campaign_id=kept.campaign),
            sample_rate=kept.first.sample_rate,
            voice=self._hearing.track,
            messenger=self._client.messenger,
            hang_up=self._end,
            sent=self._sent,
        )

    async def run(self, agent: Agent) -> None:
        """Until the file is over, or the agent ends the call."""
        begin = trio.current_time()
        with self._scope:
            async with trio.open_nursery() as nursery:
                for step in self._kept.steps:
                    if begin + step.at > trio.current_time():
                        await trio.sleep_until(begin + step.at)
                    self._now = step.at
                    if step.kind is Kind.KEYS and not self._has_begun:
                        self._has_begun = True
                        nursery.start_soon(self._converse, agent)
                    self._take(step)
                await trio.sleep_until(begin + self._kept.outcome.ended_at)
                self._now = self._kept.outcome.ended_at
                self._end("the caller hung up")

    async def _converse(self, agent: Agent) -> None:
        try:
            await self._call.converse(agent, self._fail)
            self._end("the agent ended the call")
        except BaseException as error:
            stop(error, self._fail)

    def _take(self, step: Step) -> None:
        if isinstance(step.content, TextMessage | TypedMessage | BytesMessage):
            self._client.write(step.content)
        else:
            self._hearing.take(step.kind, step.content, step.at, self._tick)

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
