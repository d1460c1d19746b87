"""Real calls of other WebRTC stacks to the gateway's echo: sound, texts, and both ways to end a call."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from glottis.server.gateway import Gateway
from support.audio import best_similarity
from support.gateway import open_test_gateway
from support.phone import eventually
from support.plugins import Footprint
from support.stacks import RATE, STACKS, Ending, Speech, Stack, Trickle, place_call

TEXTS = ("hello", "grüß dich")
LIKENESS = 0.65
"""Of one second in a row, for jitter buffers stretch and conceal while the machine is busy. Else it is 0.8 and more.
Other speech of the same voice has less than 0.55."""


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with open_test_gateway(tmp_path) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Speech:
    return Speech.write(tmp_path_factory.mktemp("speech"))


@pytest.mark.parametrize(("ending", "trickle"), [("caller", "normal"), ("gateway", "none"), ("gateway", "late")])
@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.name)
async def test_stack_hears_itself_and_chats_and_leaves_nothing(
    stack: Stack, ending: Ending, trickle: Trickle, gateway: Gateway, speech: Speech, tmp_path: Path
) -> None:
    before = await Footprint.at_rest(gateway)
    report = await place_call(stack, gateway, speech, tmp_path, texts=TEXTS, ending=ending, trickle=trickle)
    await eventually(lambda: Footprint.of(gateway) == before)
    assert report.texts == ["Backend connected", *TEXTS]
    assert best_similarity(report.heard, speech.samples, RATE) > LIKENESS
    assert ending == "caller" or report.close_reason == "the caller asked for it"
