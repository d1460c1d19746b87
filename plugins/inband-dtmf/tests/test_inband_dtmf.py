"""Keys pressed as tones: heard once each, by agents that know nothing of tones."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import trio
import trio.testing
from glottis import AgentSpec, AudioFrame, Call, hookimpl
from glottis_inband_dtmf import ToneListener, audio_processors
from numpy.typing import NDArray
from support.gateway import CONFIG
from support.memory import open_memory_exchange
from support.phone import Phone, installed_codec

LOW, HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
LAYOUT = "123A456B789C*0#D"
RATE = 16000
FRAME = RATE // 50
CAMPAIGN = '[campaigns.menu]\nagent = "menu"\nextensions = ["inband-dtmf"]\n'


def tone(key: str, seconds: float = 0.1) -> NDArray[np.int16]:
    """ITU-T Q.23: one of four low frequencies, and one of four high ones."""
    row, column = divmod(LAYOUT.index(key), 4)
    times = 2 * np.pi * np.arange(round(RATE * seconds)) / RATE
    return (4000 * (np.sin(times * LOW[row]) + np.sin(times * HIGH[column]))).astype(np.int16)


def pressed(keys: str, pause: float = 0.1) -> bytes:
    silence = np.zeros(round(RATE * pause), np.int16)
    return np.concatenate([part for key in keys for part in (silence, tone(key), silence)]).tobytes()


class Presses:
    """The keys of a call, as its agent would be given them."""

    def __init__(self) -> None:
        self.told: list[str | float] = []

    def down(self, digit: str) -> None:
        self.told.append(digit)

    def up(self, duration: float) -> None:
        self.told.append(duration)


def listened(pcm: bytes) -> list[str | float]:
    """What a listener tells, of frames that come out as they went in."""
    presses = Presses()
    listener = ToneListener(presses)
    for start in range(0, len(pcm) - 2 * FRAME + 1, 2 * FRAME):
        frame = AudioFrame(pcm[start : start + 2 * FRAME], RATE)
        assert listener.process(frame) is frame
    return presses.told


def test_keys_go_down_and_up_again() -> None:
    told = listened(pressed("12#A"))
    assert told[::2] == ["1", "2", "#", "A"]
    assert told[1::2] == pytest.approx([0.1] * 4, abs=0.03)


def test_a_key_is_told_while_it_is_down_and_how_long_it_was_held() -> None:
    held = tone("5", 2.0).tobytes()
    assert listened(held) == ["5"]
    assert listened(held + bytes(RATE // 2)) == ["5", pytest.approx(2.0, abs=0.03)]


def test_only_what_the_caller_says_is_listened_to() -> None:
    assert len(audio_processors("input", Presses())) == 1
    assert audio_processors("output", Presses()) == []


slow = partial(pytest.param, marks=pytest.mark.slow)


class Menu:
    """Notes which keys are pressed, and for how long."""

    def __init__(self) -> None:
        self.digits = ""
        self.durations: list[float] = []

    @hookimpl
    def register_agents(self) -> Sequence[AgentSpec]:
        return [AgentSpec("menu", lambda settings: self._agent, sample_rate=RATE)]

    async def _agent(self, call: Call) -> None:
        async for press in call.dtmf:
            self.digits += press.digit
            self.durations.append(await press.released())


async def press_in_raw_audio(phone: Phone) -> None:
    audio = {"inputCodec": "PCM", "outputCodec": "PCM", "sampleRate": RATE}
    await phone.create("menu", transportType="WebSocket", audioConfig=audio)
    socket = await phone.open_socket()
    pcm = pressed("14*")
    for start in range(0, len(pcm), 2 * FRAME):
        await socket.send(pcm[start : start + 2 * FRAME])
        await trio.sleep(0.02)


async def press_in_packets(phone: Phone) -> None:
    phone.speaking = False
    await phone.connect("menu")
    phone.peer.voice.write(pressed("14*"))
    await trio.sleep(1.0)


@pytest.mark.parametrize("way", ["raw", slow("opus"), slow("PCMU")])
async def test_agents_get_them_as_keys_of_the_call(
    way: str, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    menu = Menu()
    async with open_memory_exchange(tmp_path, CONFIG + CAMPAIGN, [menu]) as exchange:
        phone = exchange.phone(installed_codec("opus" if way == "raw" else way))
        await (press_in_raw_audio if way == "raw" else press_in_packets)(phone)
        await trio.sleep(0.5)
        assert menu.digits == "14*"
        assert menu.durations == pytest.approx([0.1] * 3, abs=0.05)
        await phone.hang_up()
