"""Deep redundancy: what is asked of a libopus that has it, by a stand-in which knows how far packets reach.

Where the libopus that is used has it, `with_dred.py` listens to what comes of it: ``make libopus``.
"""

import logging
from typing import Any

import pytest
from glottis import EncoderSettings
from glottis_opus import OpusDecoder, OpusEncoder, decoder, deep_redundancy, encoder
from glottis_opus.decoder import Allowance
from glottis_opus.deep_redundancy import TOLD_LOSS, WASTED, possible_ms, redundancy_reach, tell_once
from glottis_opus.library import lib
from glottis_opus.packet import CLOCK_RATE, has_redundancy

RATE = 16000
FRAME = 320
VOICE = b"".join(((index * 37 % 200 - 100) * 60).to_bytes(2, "little", signed=True) for index in range(FRAME))


class StandIn:
    """Packets that reach back by samples at ``RATE``. Each sample says how far before its packet a piece begins."""

    def __init__(self, reach: int) -> None:
        self._reach = reach
        self.is_broken = False

    def reach(self, payload: bytes) -> int:
        return self._reach * CLOCK_RATE // RATE

    def decode(self, payload: bytes, state: Any, distance: int, pcm: Any, count: int) -> bool:
        pcm[0:count] = [distance] * count
        return not self.is_broken


def packets(*, fec: bool) -> list[bytes]:
    remote = {"useinbandfec": "1"}
    settings = EncoderSettings(RATE, expected_loss=0.2, bitrate=36000, in_band_fec=fec, remote_parameters=remote)
    speaking = OpusEncoder(settings)
    made = [speaking.encode(VOICE) for _ in range(10)]
    assert has_redundancy(made[-1]) is fec
    return made


def pieces_of(pcm: bytes) -> list[int]:
    """How far before the packet each piece is that the stand-in has given; 0 for others, each of a frame."""
    frames = [memoryview(pcm).cast("h")[start : start + FRAME].tolist() for start in range(0, len(pcm) // 2, FRAME)]
    return [frame[0] if frame.count(frame[0]) == len(frame) and frame[0] else 0 for frame in frames]


@pytest.fixture
def deep(monkeypatch: pytest.MonkeyPatch) -> Any:
    def reaching(frames: float) -> StandIn:
        stand_in = StandIn(round(frames * FRAME))
        monkeypatch.setattr(decoder, "DEEP", stand_in)
        monkeypatch.setattr(decoder, "ALLOWANCE", Allowance(1.0))
        return stand_in

    return reaching


@pytest.mark.parametrize(
    ("lost", "reach", "fec", "heard"),
    [
        (3, 5, False, [3 * FRAME, 2 * FRAME, FRAME]),
        (3, 5, True, [3 * FRAME, 2 * FRAME, 0]),
        (1, 5, False, [FRAME]),
        (1, 5, True, [0]),
        (4, 2, False, [0, 0, 2 * FRAME, FRAME]),
        (4, 2, True, [0, 0, 2 * FRAME, 0]),
        (2, 0.75, True, [0, 0]),
    ],
)
def test_what_was_lost_comes_from_as_near_as_it_can(
    lost: int, reach: float, fec: bool, heard: list[int], deep: Any
) -> None:
    sent = packets(fec=fec)
    deep(reach)
    listening = OpusDecoder(RATE)
    listening.decode(sent[0])
    pcm = listening.decode_fec(sent[-1], lost * FRAME)
    assert len(pcm) == 2 * lost * FRAME
    assert pieces_of(pcm) == heard


@pytest.mark.parametrize("count", [1, 39, 320, 777, 4000])
def test_gaps_of_any_length_are_filled(count: int, deep: Any) -> None:
    sent = packets(fec=True)
    deep(3)
    assert len(OpusDecoder(RATE).decode_fec(sent[-1], count)) == 2 * count


def test_what_cannot_be_decoded_is_concealed(deep: Any) -> None:
    sent = packets(fec=False)
    deep(3).is_broken = True
    pcm = OpusDecoder(RATE).decode_fec(sent[-1], 3 * FRAME)
    assert pieces_of(pcm) == [0, 0, 0]


def test_networks_have_a_share_of_the_time(deep: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = packets(fec=False)
    deep(3)
    monkeypatch.setattr(decoder, "ALLOWANCE", Allowance(0.0))
    assert pieces_of(OpusDecoder(RATE).decode_fec(sent[-1], FRAME)) == [0]


def test_a_libopus_without_it_finds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deep_redundancy, "DEEP", None)
    assert redundancy_reach(packets(fec=False)[-1]) == 0


class Told:
    """The library that there is, which notes what encoders are told; of deep redundancy nothing is passed on."""

    def __init__(self) -> None:
        self.requests: dict[int, int] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(lib, name)

    def encoder_set(self, state: Any, request: int, value: int) -> int:
        self.requests[request] = value
        return 0 if request == lib.OPUS_SET_DRED_DURATION_REQUEST else int(lib.encoder_set(state, request, value))

    @property
    def dred(self) -> int | None:
        """In units of 10 ms."""
        return self.requests.get(lib.OPUS_SET_DRED_DURATION_REQUEST)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    library = Told()
    monkeypatch.setattr(encoder, "lib", library)
    monkeypatch.setattr(deep_redundancy, "DEEP", StandIn(0))
    return library


def test_an_encoder_makes_copies_where_it_has_the_complexity_for_them(told: Told) -> None:
    speaking = OpusEncoder(EncoderSettings(RATE, complexity=8, dred_ms=100))
    speaking.encode(VOICE)
    assert told.dred == 10
    speaking.set_complexity(6)
    assert told.dred == 0
    speaking.set_complexity(7)
    assert told.dred == 10


def test_an_encoder_that_shall_make_none_is_not_told_of_them(told: Told) -> None:
    OpusEncoder(EncoderSettings(RATE, complexity=8)).encode(VOICE)
    assert told.dred is None


@pytest.mark.parametrize(("percent", "expected"), [(0, 0), (7, 7), (8, TOLD_LOSS), (30, 30)])
def test_loss_from_which_on_copies_are_made(percent: int, expected: int, told: Told) -> None:
    speaking = OpusEncoder(EncoderSettings(RATE, complexity=8, dred_ms=100))
    speaking.set_expected_loss(percent / 100)
    speaking.encode(VOICE)
    assert told.requests[lib.OPUS_SET_PACKET_LOSS_PERC_REQUEST] == expected


@pytest.mark.parametrize(
    ("bitrate", "used"), [(24000, 24000), (WASTED.start, WASTED.start - 1), (36700, WASTED.start - 1), (44000, 44000)]
)
def test_bitrates_of_which_more_would_be_less_are_not_used(bitrate: int, used: int, told: Told) -> None:
    for dred_ms, expected in ((100, used), (0, bitrate)):
        speaking = OpusEncoder(EncoderSettings(RATE, complexity=8, dred_ms=dred_ms, bitrate=bitrate))
        speaking.encode(VOICE)
        assert told.requests[lib.OPUS_SET_BITRATE_REQUEST] == expected


def test_why_there_is_none_is_said_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deep_redundancy, "DEEP", None)
    tell_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert [possible_ms(120, 10), possible_ms(120, 10), possible_ms(0, 10)] == [0, 0, 0]
    assert [record.message.split(":")[0] for record in caplog.records] == ["dred_ms has no effect"]
