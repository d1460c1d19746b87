"""A conversation to try an agent with, and how it must end."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import trio

from glottis.contracts.audio import FRAME_MS
from glottis.contracts.call import Agent, AgentSpec, BytesMessage, CampaignInfo, TextMessage
from glottis.contracts.info import CallInfo
from glottis.signaling.session_request import WEBRTC
from glottis.testing.fake_call import FakeCall, fake_call
from glottis.testing.rules.awaits import Steps
from glottis.testing.rules.signals import melody
from glottis.testing.rules.subject import Subject
from glottis.testing.rules.trial import give_up, run_trial

AGENT_RATES: Final = (8000, 16000, 24000, 48000)
"""Hertz, that the codecs of this repository have: a campaign may choose any."""
PATIENCE: Final = 1.0
"""Seconds in which a call is to end (law 5 of docs/architecture.md)."""

Script = Callable[[FakeCall], Awaitable[None]]


async def hold(
    agent: Agent,
    script: Script,
    *,
    settings: object,
    sample_rate: int,
    frame_ms: int = FRAME_MS,
    transport: str = WEBRTC,
    steps: Steps | None = None,
) -> None:
    """A call that is over within ``PATIENCE`` of the end of the script, or of its own end; else the trial is."""
    info = CallInfo("session", "campaign", client_identifier="caller", transport=transport, campaign_settings=settings)
    is_over = trio.Event()
    async with trio.open_nursery() as around:
        async with fake_call(agent, sample_rate=sample_rate, frame_ms=frame_ms, info=info) as call:
            if steps is not None:
                steps.nursery, steps.hang_up = call.nursery, partial(_hang_up, call, is_over)
            around.start_soon(_give_up_when_late, is_over)
            around.start_soon(_set_at_end, is_over, call)
            async with trio.open_nursery() as caller:
                caller.start_soon(_leave_at_end, call, caller.cancel_scope)
                await script(call)
                caller.cancel_scope.cancel()
            is_over.set()
        around.cancel_scope.cancel()


def _hang_up(call: FakeCall, is_over: trio.Event) -> None:
    call.caller_hangs_up()
    is_over.set()


async def _leave_at_end(call: FakeCall, scope: trio.CancelScope) -> None:
    """A caller whose call is over says nothing more."""
    await call.ended.wait()
    scope.cancel()


async def _set_at_end(is_over: trio.Event, call: FakeCall) -> None:
    await call.ended.wait()
    is_over.set()


async def _give_up_when_late(is_over: trio.Event) -> None:
    """Beside the call, and not cancelled with it."""
    await is_over.wait()
    await trio.sleep(PATIENCE)
    give_up(f"the call has not ended within {PATIENCE:g} s: let trio.Cancelled pass, and shield nothing for longer")


def converse(
    subject: Subject[AgentSpec],
    script: Script,
    *,
    sample_rate: int | None = None,
    frame_ms: int | None = None,
    transport: str = WEBRTC,
    steps: Steps | None = None,
) -> None:
    """Have this conversation, and hang up. Raises ``Broken``, and whatever the agent raises."""
    rate = subject.spec.sample_rate if sample_rate is None else sample_rate
    length = subject.spec.frame_ms if frame_ms is None else frame_ms
    agent = subject.make_for(CampaignInfo("campaign", rate, frame_ms=length))

    scenario = partial(
        hold,
        agent,
        script,
        settings=subject.told_settings(),
        sample_rate=rate,
        frame_ms=length,
        transport=transport,
        steps=steps,
    )
    run_trial(scenario, [] if steps is None else [steps])


async def talk(call: FakeCall) -> None:
    """Everything that a caller does: speak, be silent, write, press keys, and speak again."""
    await silence(call, 0.3)
    await speech(call, 1.0)
    await silence(call, 1.0)
    call.caller_writes(TextMessage("hello"))
    if call.info.transport == WEBRTC:
        call.caller_writes(TextMessage("how are you?", "chat"))
        call.caller_writes(BytesMessage(b"\0\1\2\3", "chat"))
    await silence(call, 0.2)
    await call.caller_presses("1")
    await speech(call, 0.5)
    await silence(call, 0.5)


async def speech(call: FakeCall, seconds: float) -> None:
    """Sound, 20 ms after 20 ms."""
    await call.caller_speaks(melody(call.sample_rate, round(1000 * seconds)))


async def silence(call: FakeCall, seconds: float) -> None:
    """As most callers send it."""
    await call.caller_speaks(bytes(2 * round(seconds * call.sample_rate)))
