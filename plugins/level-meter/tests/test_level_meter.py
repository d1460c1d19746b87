from collections.abc import Mapping
from typing import Any

from glottis import AudioFrame, CallInfo
from glottis_level_meter import MeterConfig, audio_processors

LOUD = AudioFrame(b"\x00\x40\x00\xc0" * 160, 16000)  # half of full scale
SILENT = AudioFrame(bytes(640), 16000)


class Client:
    def __init__(self) -> None:
        self.told: list[tuple[str, Mapping[str, Any]]] = []

    def __call__(self, name: str, data: Mapping[str, Any]) -> None:
        self.told.append((name, data))


def measured(*frames: AudioFrame, interval_ms: int = 100) -> list[Mapping[str, Any]]:
    """What the client is told, of frames that come out as they went in."""
    client = Client()
    (process,) = audio_processors(CallInfo("s", "c"), "input", client, MeterConfig(interval_ms=interval_ms))
    assert [process(frame) for frame in frames] == list(frames)
    assert {name for name, _ in client.told} <= {"level"}
    return [data for _, data in client.told]


def test_levels_are_told_once_in_an_interval_of_audio() -> None:
    assert measured(*[LOUD] * 5, *[SILENT] * 9) == [
        {"direction": "input", "dbfs": -6.0, "peakDbfs": -6.0},
        {"direction": "input", "dbfs": -96.0, "peakDbfs": -96.0},
    ]


def test_mean_and_peak_are_of_the_whole_interval() -> None:
    (told,) = measured(LOUD, *[SILENT] * 3, SILENT)
    assert (told["dbfs"], told["peakDbfs"]) == (-13.0, -6.0)


def test_intervals_are_of_time_not_of_frames() -> None:
    long = AudioFrame(bytes(1920), 16000)
    assert len(measured(*[long] * 10, interval_ms=300)) == 2
