import math
from array import array
from pathlib import Path

import pytest
import trio
from glottis import AudioFrame, Component, ComponentSpec, PluginError, TurnSettings, VoiceActivityDetector, hookimpl
from glottis.config import load_config, resolve
from glottis.plugins import load_plugins
from glottis.testing import AgentContract, fake_call
from glottis_talker import TalkerConfig, register_agents, talker
from glottis_talker.tune import tune_at
from glottis_vad_energy import EnergyConfig, EnergyDetector
from support.installed import installed_plugins

RATE = 16000
TALK = talker(TalkerConfig(detector=Component("energy", lambda: EnergyDetector(EnergyConfig()))))


@pytest.mark.slow
class TestContract(AgentContract):
    (spec,) = register_agents()


def tone(seconds: float) -> bytes:
    samples = (round(6000 * math.sin(2 * math.pi * 300 * i / RATE)) for i in range(round(seconds * RATE)))
    return array("h", samples).tobytes()


def silence(seconds: float) -> bytes:
    return bytes(round(seconds * RATE) * 2)


def tune(sample_count: int) -> bytes:
    pcm = b""
    while len(pcm) < 2 * sample_count:
        pcm += tune_at(RATE).read(len(pcm) // 2, 320)
    return pcm[: 2 * sample_count]


async def test_it_speaks_at_once_and_goes_on(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(TALK) as call:
        await call.caller_speaks(silence(5))
        heard = call.heard_pcm
    assert len(heard) / 2 / RATE == pytest.approx(5, abs=0.04)
    assert heard == tune(len(heard) // 2)


async def test_it_falls_silent_within_a_frame_of_the_callers_voice(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(TALK) as call:
        await call.caller_speaks(silence(2) + tone(0.06))
        before = len(call.heard_pcm)
        await call.caller_speaks(tone(1))
        assert not call.is_speaking
        assert (len(call.heard_pcm) - before) / 2 / RATE <= 0.02
        [(name, data)] = call.sent_events
        assert name == "cut_short"
        assert data["sentSeconds"] == pytest.approx(2.04, abs=0.03)
        assert 0.15 < data["droppedSeconds"] < 0.25


async def test_it_goes_on_where_it_stopped_when_the_caller_is_silent(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(TALK) as call:
        await call.caller_speaks(silence(1) + tone(1) + silence(0.5))
        interrupted_at = len(call.heard_pcm)
        await call.caller_speaks(silence(2))
        heard = call.heard_pcm
        assert len(heard) > interrupted_at + 2 * RATE
        assert heard == tune(len(heard) // 2)
        assert [name for name, _ in call.sent_events] == ["cut_short", "heard"]
        assert call.sent_events[1][1]["speechSeconds"] == pytest.approx(1, abs=0.1)


async def test_it_goes_on_when_the_caller_stops_sending(autojump_clock: trio.testing.MockClock) -> None:
    async with fake_call(TALK) as call:
        await call.caller_speaks(silence(1) + tone(1))
        await trio.sleep(0.7)
        assert call.is_speaking


class Finger:
    """Hears speech in the frames from the third to the ninth, whatever is in them."""

    def __init__(self) -> None:
        self.frames = 0

    def detect(self, frame: AudioFrame) -> bool:
        self.frames += 1
        return 3 <= self.frames < 10


async def test_each_call_has_a_detector_of_its_own(autojump_clock: trio.testing.MockClock) -> None:
    agent = talker(TalkerConfig(detector=Component("finger", Finger), turns=TurnSettings(hangover_ms=60)))
    for _ in range(2):
        async with fake_call(agent) as call:
            await call.caller_speaks(silence(0.3))
            assert [name for name, _ in call.sent_events] == ["cut_short", "heard"]
            assert call.sent_events[1][1] == {"speechSeconds": 0.14}


class FingerPackage:
    @hookimpl
    def register_components(self) -> list[ComponentSpec[VoiceActivityDetector]]:
        return [ComponentSpec(VoiceActivityDetector, "finger", lambda settings: Finger())]


def test_another_package_can_bring_a_detector(tmp_path: Path) -> None:
    path = tmp_path / "glottis.toml"
    path.write_text('[campaigns.tune]\nagent = "talker"\nsettings.detector = "finger"\n')
    settings = resolve(load_config(path, {}), load_plugins([FingerPackage()])).campaigns["tune"].agent.settings
    assert isinstance(settings, TalkerConfig)
    detector = settings.detector.make()
    assert [detector.detect(AudioFrame(silence(0.02), RATE)) for _ in range(4)] == [False, False, True, True]


def test_a_detector_that_cannot_be_made_is_told_before_any_call() -> None:
    def fail() -> Finger:
        raise PluginError("no model")

    with pytest.raises(PluginError, match="no model"):
        talker(TalkerConfig(detector=Component("finger", fail)))


@pytest.mark.parametrize(
    ("setting", "margin_db"),
    [("", 12), ('detector = "Energy"', 12), ('detector = { name = "energy", margin_db = 9 }', 9)],
)
def test_configuration_chooses_the_detector(setting: str, margin_db: float, tmp_path: Path) -> None:
    path = tmp_path / "glottis.toml"
    path.write_text(f'[campaigns.tune]\nagent = "talker"\n[campaigns.tune.settings]\n{setting}\n')
    settings = resolve(load_config(path, {}), installed_plugins()).campaigns["tune"].agent.settings
    assert isinstance(settings, TalkerConfig)
    assert settings.detector.name == "energy"
    assert settings.detector.settings == EnergyConfig(margin_db=margin_db)
