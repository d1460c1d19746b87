from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pytest
from glottis import EncoderSettings
from glottis_opus import OPUS, OpusEncoder

Samples = npt.NDArray[np.int16]
Speech = Callable[[int], Samples]
Frames = Callable[[Samples, int], Iterator[bytes]]
Measure = Callable[..., list[bytes]]

CELT_BANDWIDTHS = {4: 4000, 5: 8000, 6: 12000, 7: 20000}


@pytest.fixture
def packets(speech: Speech, frames: Frames) -> Measure:
    """The packets of three seconds of speech at 48 kHz, encoded for a receiver with these parameters."""

    def of(remote: dict[str, str], **settings: object) -> list[bytes]:
        encoder = OpusEncoder(EncoderSettings(48000, remote_parameters=remote, **settings))  # type: ignore[arg-type]
        return [encoder.encode(frame) for frame in frames(speech(48000), 960)]

    return of


def bitrate(packets: list[bytes]) -> float:
    return 8 * sum(map(len, packets)) / (len(packets) * 0.02)


def bandwidth(packet: bytes) -> int:
    """The audio bandwidth in hertz (RFC 6716, table 2)."""
    configuration = packet[0] >> 3
    if configuration < 12:
        return (4000, 6000, 8000)[configuration // 4]
    if configuration < 16:
        return 12000 if configuration < 14 else 20000
    return CELT_BANDWIDTHS[configuration // 4]


def test_rtpmap_is_that_of_rfc_7587() -> None:
    assert (OPUS.encoding_name, OPUS.clock_rate, OPUS.channels) == ("opus", 48000, 2)


@pytest.mark.parametrize("offered", [{}, {"useinbandfec": "0", "stereo": "1"}, {"maxplaybackrate": "nonsense"}])
def test_answer_always_asks_for_in_band_fec(offered: dict[str, str]) -> None:
    assert OPUS.answer_parameters(offered) == {"minptime": "10", "useinbandfec": "1"} == OPUS.offer_parameters


def test_maxaveragebitrate_limits_the_configured_bitrate(packets: Measure) -> None:
    assert bitrate(packets({}, bitrate=48000)) > 30000
    assert bitrate(packets({"maxaveragebitrate": "12000"}, bitrate=48000)) < 14000


def test_maxaveragebitrate_limits_bitrates_set_later(speech: Speech, frames: Frames) -> None:
    encoder = OpusEncoder(EncoderSettings(48000, remote_parameters={"maxaveragebitrate": "12000"}))
    encoder.set_bitrate(64000)
    assert bitrate([encoder.encode(frame) for frame in frames(speech(48000), 960)]) < 14000


@pytest.mark.parametrize(
    ("maxplaybackrate", "limit"),
    [("8000", 4000), ("12000", 6000), ("16000", 8000), ("24000", 12000), ("44100", 12000), ("48000", 20000)],
)
def test_maxplaybackrate_limits_the_bandwidth(packets: Measure, maxplaybackrate: str, limit: int) -> None:
    widths = {bandwidth(packet) for packet in packets({"maxplaybackrate": maxplaybackrate}, bitrate=64000)}
    assert max(widths) == limit


def test_cbr_makes_all_packets_equally_long(packets: Measure) -> None:
    assert len({len(packet) for packet in packets({})}) > 10
    assert len({len(packet) for packet in packets({"cbr": "1"})}) == 1


@pytest.mark.parametrize(
    "remote",
    [
        {"maxaveragebitrate": value, "maxplaybackrate": value, "usedtx": value, "useinbandfec": value, "cbr": value}
        for value in ("", "-1", "0", "1e9", "²", "9" * 5000, "999999999", "x")
    ],
)
def test_odd_remote_parameters_do_not_stop_the_encoder(packets: Measure, remote: dict[str, str]) -> None:
    assert any(packets(remote))


def test_stereo_receiver_still_gets_mono(packets: Measure) -> None:
    assert not any(packet[0] & 0b100 for packet in packets({"stereo": "1"}))
