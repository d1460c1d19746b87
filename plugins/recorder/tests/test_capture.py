"""Captures of calls: which calls, what is in their files, and that they can be run again."""

import json
import os
import stat
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
from glottis import CallInfo, ConfigurationError, EncodedPacket, GatewayInfo, OtherEvent, Statistics, TextMessage
from glottis.calls.dtmf import tones_of
from glottis.contracts.clock import EARLIEST
from glottis.lab import replay
from glottis.signaling.messages import Text
from glottis.testing import on_virtual_time
from glottis.wire.call_file import MAGIC, Kind, encode_entry, parse_call_file_untrusted
from glottis_recorder.capture import CaptureConfig, gateway_lifespan
from glottis_recorder.capture.capture import Capture
from glottis_recorder.capture.writer import CaptureWriter
from glottis_recorder.disk import Disk
from support.gateway import CONFIG
from support.installed import installed_plugins
from support.memory import open_memory_exchange

PCMU = installed_plugins().codecs.find("PCMU").spec
KEY = "captureConsent"
Log = pytest.LogCaptureFixture


# A call of a gateway, and the same once more


async def call_and_keep(directory: Path) -> None:
    """Some words and a text, and a file of it."""
    config = f"""{CONFIG}
[campaigns.kept]
agent = "echo"
extensions = ["call-capture"]

[extensions.settings.call-capture]
directory = "{directory}"
"""
    async with open_memory_exchange(directory, config) as exchange:
        phone = await exchange.call("kept", metadata={KEY: True})
        await phone.socket.send(Text("hello"))
        await trio.sleep(1.2)
        for tone in tones_of("5", 0.1, 0.06):
            phone.peer.voice.write_tone(tone)
        await trio.sleep(0.5)
        await phone.hang_up()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("captures")
    on_virtual_time(call_and_keep, directory)
    (path,) = directory.glob("*.glottis")
    return path


def test_a_call_of_a_gateway_goes_again_as_it_went(kept: Path) -> None:
    again = replay(kept, "echo")
    assert again.differences == ()
    assert again.is_whole
    assert again.before.figures == again.now.figures
    assert again.now.keys == "5"
    assert len(again.now.spoke) == len(again.before.spoke) > 0
    assert [one.content for one in again.now.wrote] == [one.content for one in again.before.wrote] != []


def test_a_call_whose_consent_came_late_goes_again_from_there(kept: Path, tmp_path: Path) -> None:
    entries = parse_call_file_untrusted(kept.read_bytes()).entries
    setup = [entry for entry in entries if entry.kind in SETUP]
    rest = [entry for entry in entries if entry.kind not in SETUP and entry.at > 0.7]
    end = rest[-1]._replace(content=b'{"reason": "over"}')
    path = tmp_path / "late.glottis"
    path.write_bytes(MAGIC + b"".join(map(encode_entry, [*setup, *rest[:-1], end])))
    again = replay(path)
    assert (again.before.figures, again.differences) == (None, ())
    assert again.now.figures is not None
    assert again.now.figures["packetsReceived"] > 10


def test_no_address_password_or_fingerprint_is_in_the_file(kept: Path) -> None:
    data = kept.read_bytes()
    secrets = (b"192.0.2.", b"127.0.0.1", b"fingerprint", b"ufrag", b"candidate", b"sha-256")
    assert not any(secret in data for secret in secrets)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


# Who is kept, and how much


class Trial:
    """A capture, on a clock of the test's own."""

    def __init__(self, path: Path, metadata: Mapping[str, Any], *, disk: Disk | None = None, **settings: Any) -> None:
        self.now = 100.0
        self.path = path / "s.glottis"
        self.told: list[Mapping[str, Any]] = []
        self.disk = disk or Disk()
        config = CaptureConfig(directory=str(path), **settings)
        info = CallInfo("s", "c", metadata=metadata)
        writer = CaptureWriter(self.path, "s")
        self.capture = Capture(info, self._tell, self.disk, writer, lambda: self.now, config, "1.2")
        self.capture.incoming("negotiated", b"{}", self.now)
        self.capture.incoming("keys", b"", self.now)

    def _tell(self, name: str, data: Mapping[str, Any]) -> None:
        assert name == "capture"
        self.told.append(data)

    def talk(self, seconds: float) -> None:
        for _ in range(round(seconds * 50)):
            self.capture.incoming("rtp", bytes(60), self.now)
            self.capture.incoming("tick", b"", self.now)
            self.now += 0.02

    def write(self, text: str) -> None:
        self.capture.message_received(TextMessage(text))

    def end(self) -> None:
        self.capture.ended("over", Statistics())
        self.disk.wait_idle()

    @property
    def states(self) -> list[str]:
        return [data["state"] for data in self.told]

    def kinds(self) -> list[Kind]:
        if not self.path.exists():
            return []
        kept = parse_call_file_untrusted(self.path.read_bytes())
        assert kept.is_whole
        return [entry.kind for entry in kept.entries]


SETUP = [Kind.ABOUT, Kind.NEGOTIATED, Kind.KEYS]


def test_what_comes_in_is_in_the_file_in_its_order(tmp_path: Path) -> None:
    trial = Trial(tmp_path, {KEY: True})
    trial.talk(0.04)
    trial.write("hi")
    trial.capture.packet_sent(EncodedPacket(b"\xff" * 160, "PCMU", 8000, 0, 160), PCMU)
    trial.capture.message_sent(TextMessage("hello"))
    trial.capture.event(OtherEvent("of the agent", {"x": 1}))
    trial.capture.event(OtherEvent("recording", {}))
    trial.end()
    heard = [Kind.RTP, Kind.TICK] * 2
    assert trial.kinds() == [*SETUP, *heard, Kind.TEXT, Kind.SAID, Kind.WROTE, Kind.EVENT, Kind.ENDED]
    entries = parse_call_file_untrusted(trial.path.read_bytes()).entries
    assert json.loads(entries[0].content) == {"campaign": "c", "version": "1.2"}
    assert entries[-1].at == pytest.approx(0.04)
    assert trial.states == ["started"]


def test_messages_can_be_left_out(tmp_path: Path) -> None:
    trial = Trial(tmp_path, {}, consent="given", messages=False)
    trial.write("hi")
    trial.capture.message_sent(TextMessage("hello"))
    trial.capture.event(OtherEvent("of the agent", {}))
    trial.end()
    assert trial.kinds() == [*SETUP, Kind.ENDED]


@pytest.mark.parametrize("consent", [None, False, 1, "true"])
def test_nothing_is_kept_without_consent(consent: object, tmp_path: Path) -> None:
    trial = Trial(tmp_path, {} if consent is None else {KEY: consent})
    trial.talk(1)
    trial.end()
    assert (trial.kinds(), trial.told) == ([], [])


def test_consent_can_be_given_and_taken_back_in_the_call(tmp_path: Path) -> None:
    trial = Trial(tmp_path, {})
    trial.talk(1)
    trial.write(f'{{"type": "metadata", "{KEY}": true}}')
    trial.talk(0.1)
    trial.write(f'{{"type": "metadata", "{KEY}": false}}')
    trial.talk(1)
    trial.end()
    assert trial.kinds() == [*SETUP, Kind.TEXT, *[Kind.RTP, Kind.TICK] * 5, Kind.ENDED]
    assert trial.states == ["started", "stopped"]


@pytest.mark.parametrize("limit", [{"max_minutes": 0.02}, {"max_megabytes": 0.006}])
def test_a_file_is_no_longer_than_it_may_be(limit: dict[str, Any], tmp_path: Path) -> None:
    trial = Trial(tmp_path, {KEY: True}, **limit)
    trial.talk(5)
    trial.end()
    assert trial.states == ["started", "complete"]
    assert 50 < trial.kinds().count(Kind.RTP) < 100
    assert trial.kinds()[-1] is Kind.ENDED


def test_a_process_that_is_killed_costs_the_last_half_second(tmp_path: Path) -> None:
    trial = Trial(tmp_path, {KEY: True})
    trial.talk(3)
    trial.disk.wait_idle()
    assert trial.kinds().count(Kind.TICK) >= 125
    trial.end()


def test_a_disk_that_stands_still_holds_nobody_up_and_what_is_dropped_is_told(tmp_path: Path, caplog: Log) -> None:
    disk, stands, goes_on = Disk(limit=2), threading.Event(), threading.Event()

    def stand_still() -> None:
        stands.set()
        goes_on.wait(10)

    disk.submit(stand_still)
    assert stands.wait(10)  # so that it is none of the two that may wait
    trial = Trial(tmp_path, {KEY: True}, disk=disk)
    trial.talk(3)
    goes_on.set()
    disk.wait_idle()
    for _ in range(5):  # no more at once than the disk takes
        trial.talk(0.2)
        disk.wait_idle()
    trial.end()
    assert trial.states == ["started", "incomplete"]
    dropped = trial.capture.entries_dropped
    assert dropped > 100
    assert trial.kinds().count(Kind.RTP) + trial.kinds().count(Kind.TICK) + dropped == 400
    assert trial.kinds().count(Kind.DROPPED) == 1
    assert "entries are not in its capture" in caplog.text


def test_a_disk_that_fails_ends_the_capture_and_the_client_is_told(tmp_path: Path, caplog: Log) -> None:
    trial = Trial(tmp_path, {KEY: True})
    trial.path.mkdir()
    trial.talk(1)
    trial.disk.wait_idle()
    trial.talk(1)
    trial.end()
    assert trial.states == ["started", "failed"]
    assert "its capture ends here: Is a directory" in caplog.text


def test_what_is_old_in_the_directory_is_deleted(tmp_path: Path) -> None:
    for name in ("old.glottis", "new.glottis", "old.wav"):
        (tmp_path / name).write_bytes(MAGIC)
        if name.startswith("old"):
            os.utime(tmp_path / name, (EARLIEST, EARLIEST))
    on_virtual_time(live_for_a_while, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.glottis", "old.wav"]


async def live_for_a_while(directory: Path) -> None:
    async with gateway_lifespan(GatewayInfo("", ""), CaptureConfig(directory=str(directory))):
        await trio.sleep(1)


async def test_a_directory_that_cannot_be_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = CaptureConfig(directory=str(tmp_path / "file" / "below"))
    with pytest.raises(ConfigurationError, match="directory: Not a directory"):
        async with gateway_lifespan(GatewayInfo("", ""), settings):
            raise AssertionError
