"""Recordings of calls: who is recorded, what the client is told, and what the disk may do."""

import errno
import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import trio
import trio.testing
from glottis import (
    CallInfo,
    ConfigurationError,
    EncodedPacket,
    GatewayInfo,
    RouteRequest,
    Statistics,
    TextMessage,
)
from glottis.testing import on_virtual_time
from glottis_recorder import RecorderConfig, RetrievalConfig, gateway_lifespan
from glottis_recorder.desk import SWEEP_INTERVAL, RecordingDesk, sweep
from glottis_recorder.disk import Disk
from glottis_recorder.recording import AudioFile, Recording
from glottis_recorder.retrieval import routes
from glottis_recorder.voices import Placed
from support.installed import installed_plugins

PCMU = installed_plugins().codecs.find("PCMU").spec
KEY = "recordingConsent"
Log = pytest.LogCaptureFixture


class Tape:
    """A file that keeps what it is given, on a disk that can be full."""

    def __init__(self) -> None:
        self.packets: list[tuple[int, Placed]] = []
        self.written_until = self.closed_at = -1
        self.is_full = self.is_abandoned = False

    def add(self, channel: int, packet: Placed) -> None:
        self.packets.append((channel, packet))

    def write(self, until: int) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.written_until = until

    def close(self, until: int) -> None:
        self.write(until)
        self.closed_at = until

    def abandon(self) -> None:
        self.is_abandoned = True


class Trial:
    """A recording, on a clock of the test's own."""

    def __init__(self, consent: object = None, *, key: str | None = KEY, disk: Disk | None = None) -> None:
        self.now = 100.0
        self.tape = Tape()
        self.opened = 0
        self.told: list[Mapping[str, Any]] = []
        self.disk = disk or Disk()
        metadata = {} if consent is None else {KEY: consent}
        info = CallInfo("s", "c", metadata=metadata)
        self.recording = Recording(info, self._tell, self.disk, self._open, lambda: self.now, key)

    def _tell(self, name: str, data: Mapping[str, Any]) -> None:
        assert name == "recording"
        self.told.append(data)

    def _open(self) -> AudioFile:
        self.opened += 1
        return self.tape

    def talk(self, seconds: float) -> None:
        """Both speak."""
        for _ in range(round(seconds * 50)):
            timestamp = round(self.now * 8000)
            packet = EncodedPacket(b"\xff" * 160, "PCMU", 8000, timestamp, 160)
            self.recording.packet_received(packet, PCMU)
            self.recording.packet_sent(packet, PCMU)
            self.now += 0.02

    def write(self, text: str) -> None:
        self.recording.message_received(TextMessage(text))

    def end(self) -> None:
        self.recording.ended("over", Statistics())
        self.disk.wait_idle()

    @property
    def states(self) -> list[str]:
        return [data["state"] for data in self.told]


def test_both_directions_are_recorded_from_their_first_packet_to_the_end() -> None:
    trial = Trial(consent=True)
    trial.talk(2)
    trial.now += 1
    trial.end()
    assert [channel for channel, _ in trial.tape.packets] == [0, 1] * 100
    assert [packet.position for _, packet in trial.tape.packets[::2]] == [960 * index for index in range(100)]
    assert trial.tape.closed_at == 3 * 48000
    assert trial.states == ["started"]


def test_what_is_old_enough_is_written_while_the_call_goes_on() -> None:
    trial = Trial(consent=True)
    trial.talk(5)
    trial.disk.wait_idle()
    assert 2.9 < trial.tape.written_until / 48000 < 3.6


@pytest.mark.parametrize("consent", [None, False, 1, "true"])
def test_nothing_is_recorded_without_consent(consent: object) -> None:
    trial = Trial(consent)
    trial.talk(1)
    trial.end()
    assert (trial.opened, trial.told) == (0, [])


def test_an_operator_can_vouch_for_consent() -> None:
    trial = Trial(key=None)
    trial.talk(0.1)
    trial.end()
    assert len(trial.tape.packets) == 10


def test_consent_can_be_given_and_taken_back_in_the_call() -> None:
    trial = Trial()
    trial.talk(1)
    trial.write('{"type": "metadata", "recordingConsent": true}')
    trial.talk(0.2)
    trial.write('{"type": "metadata", "recordingConsent": false}')
    trial.talk(1)
    trial.end()
    assert len(trial.tape.packets) == 20
    assert trial.states == ["started", "stopped"]


@pytest.mark.parametrize(
    "text",
    [
        "recordingConsent",
        '{"recordingConsent": true}',
        '["recordingConsent"]',
        '{"type": "metadata", "x": "recordingConsent"}',
        "[" * 100_000 + '"recordingConsent"',
    ],
    ids=range(5),
)
def test_other_texts_give_no_consent(text: str) -> None:
    trial = Trial()
    trial.write(text)
    trial.talk(0.1)
    assert trial.told == []


def test_a_full_disk_ends_the_recording_and_the_client_is_told(caplog: Log) -> None:
    trial = Trial(consent=True)
    trial.talk(1)
    trial.disk.wait_idle()
    trial.tape.is_full = True
    trial.talk(0.6)
    trial.disk.wait_idle()
    trial.talk(1)
    trial.end()
    assert trial.states == ["started", "failed"]
    assert trial.tape.is_abandoned
    assert [record.getMessage() for record in caplog.records] == [
        "session s: its recording ends here: No space left on device"
    ]


def test_a_disk_that_stands_still_holds_nobody_up_and_what_is_dropped_is_told(caplog: Log) -> None:
    disk, goes_on = Disk(limit=2), threading.Event()
    disk.submit(partial(goes_on.wait, 10))
    trial = Trial(consent=True, disk=disk)
    trial.talk(3)
    goes_on.set()
    trial.end()
    assert trial.states == ["started", "incomplete"]
    assert trial.recording.packets_dropped >= 50
    assert len(trial.tape.packets) + trial.recording.packets_dropped == 300
    assert trial.tape.closed_at == 3 * 48000
    assert "packets are not in its recording, the disk was too slow" in caplog.text


def test_jobs_are_done_in_their_order_one_that_fails_too(caplog: Log) -> None:
    disk, done = Disk(), []

    def job(number: int) -> Callable[[], None]:
        return lambda: done.append(number) if number != 5 else [][number]

    for number in range(10):
        assert disk.submit(job(number))
    disk.wait_idle()
    assert done == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert "a recording has failed" in caplog.text


# Fetching


@pytest.mark.parametrize(("ending", "media_type"), [("wav", "audio/wav"), ("ogg", "audio/ogg")])
async def test_a_recording_is_fetched_whole(ending: str, media_type: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    (tmp_path / f"s-1.{ending}").write_bytes(content)
    for route in routes(RecordingDesk(), RetrievalConfig(directory=str(tmp_path))):
        response = await route.handle(RouteRequest("GET", "", {"session_id": "s-1"}))
        assert (response.status, response.media_type) == (200, media_type)
        assert not isinstance(response.body, bytes)
        assert b"".join([piece async for piece in response.body]) == content
        missing = await route.handle(RouteRequest("GET", "", {"session_id": "s-2"}))
        assert (missing.status, b"NO_RECORDING" in cast(bytes, missing.body)) == (404, True)


def test_recordings_are_for_operators_and_for_who_has_created_the_session() -> None:
    made = routes(RecordingDesk(), RetrievalConfig())
    assert {route.path: route.access for route in made} == {
        "/calls/{session_id}": "operator",
        "/own/{session_id}": "session",
    }


# The directory


def test_recordings_are_deleted_when_their_time_is_over_and_nothing_else_is(tmp_path: Path) -> None:
    for name in ("old.wav", "old.ogg", "new.wav", "old.txt"):
        (tmp_path / name).touch()
        moment = time.time() - (1000 if name.startswith("old") else 10)
        os.utime(tmp_path / name, (moment, moment))
    sweep(tmp_path, time.time() - 500)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.wav", "old.txt"]


def test_the_time_of_recordings_from_before_the_clock_was_set_begins_when_they_are_seen(tmp_path: Path) -> None:
    old = tmp_path / "old.wav"
    old.touch()
    os.utime(old, (1000, 1000))
    sweep(tmp_path, time.time() - 500)
    assert time.time() - old.stat().st_mtime < 100
    sweep(tmp_path, time.time() + 1)
    assert not old.exists()


def test_the_directory_is_made_and_swept_as_long_as_the_gateway_lives(tmp_path: Path) -> None:
    on_virtual_time(live_for_a_sweep, tmp_path / "a" / "b")


async def live_for_a_sweep(directory: Path) -> None:
    settings = RecorderConfig(directory=str(directory), keep_days=1)
    async with gateway_lifespan(GatewayInfo("", ""), settings):
        old = directory / "s.wav"
        old.touch()
        a_year_ago = time.time() - 365 * 86_400
        os.utime(old, (a_year_ago, a_year_ago))
        await trio.sleep(SWEEP_INTERVAL + 1)
        assert not old.exists()


async def test_a_directory_that_cannot_be_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = RecorderConfig(directory=str(tmp_path / "file" / "below"))
    with pytest.raises(ConfigurationError, match="directory: Not a directory"):
        async with gateway_lifespan(GatewayInfo("", ""), settings):
            raise AssertionError
