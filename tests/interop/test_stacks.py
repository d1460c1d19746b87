"""Real calls of other WebRTC stacks to the gateway's echo: sound, texts, and both ways to end a call."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from glottis.server.gateway import Gateway
from support.audio import best_similarity
from support.gateway import open_test_gateway
from support.phone import eventually
from support.plugins import Footprint
from support.stacks import RATE, STACKS, Ending, Report, Speech, Stack, Trickle, place_call

TEXTS = ("hello", "grüß dich")
LIKENESS = 0.65
"""Of one second in a row, for jitter buffers stretch and conceal while the machine is busy. Else it is 0.8 and more.
Other speech of the same voice has less than 0.55."""
ATTEMPTS = 4
"""Where the machine is so busy that no second is whole; alone a stack has more of it."""


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with open_test_gateway(tmp_path) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Speech:
    return Speech.write(tmp_path_factory.mktemp("speech"))


@pytest.mark.parametrize(("ending", "trickle"), [("caller", "normal"), ("gateway", "none"), ("gateway", "late")])
async def test_stacks_side_by_side_hear_themselves_and_chat_and_leave_nothing(
    ending: Ending, trickle: Trickle, gateway: Gateway, speech: Speech, tmp_path: Path
) -> None:
    before = await Footprint.at_rest(gateway)
    reports: dict[str, Report] = {}

    async def call(stack: Stack, attempt: int = 0) -> None:
        directory = tmp_path / f"{stack.name} {attempt}"
        directory.mkdir()
        reports[stack.name] = await place_call(
            stack, gateway, speech, directory, texts=TEXTS, ending=ending, trickle=trickle
        )

    def heard_poorly() -> list[Stack]:
        likenesses = {name: best_similarity(report.heard, speech.samples, RATE) for name, report in reports.items()}
        return [stack for stack in STACKS if likenesses[stack.name] <= LIKENESS]

    async with trio.open_nursery() as nursery:
        for stack in STACKS:
            nursery.start_soon(call, stack)
    await eventually(lambda: Footprint.of(gateway) == before)
    poor = heard_poorly()
    for attempt in range(1, ATTEMPTS):
        for stack in poor:
            await call(stack, attempt)
        poor = heard_poorly() if poor else []
    assert poor == []
    await eventually(lambda: Footprint.of(gateway) == before)
    for name, report in reports.items():
        assert report.texts == ["Backend connected", *TEXTS], name
        assert ending == "caller" or report.close_reason == "the caller asked for it", name
