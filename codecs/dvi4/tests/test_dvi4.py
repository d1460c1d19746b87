"""DVI4 sounds like what was said, is coded as others code it, and takes whatever a network brings."""

import contextlib
import random
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from glottis import EncoderSettings, Malformed
from glottis.testing.codec_contract import check_codec
from glottis_dvi4 import DVI4
from glottis_dvi4.codec import payload_duration_untrusted

FRAME = 320


def packets(pcm: bytes) -> list[bytes]:
    encoder = DVI4.create_encoder(EncoderSettings(sample_rate=8000))
    return [encoder.encode(pcm[at : at + FRAME]) for at in range(0, len(pcm) // FRAME * FRAME, FRAME)]


@pytest.mark.slow
def test_contract_of_codecs_holds() -> None:
    check_codec(DVI4)


def test_speech_comes_back(speech: Callable[[int], Any]) -> None:
    said = speech(8000)
    decoder = DVI4.create_decoder(8000)
    heard = np.frombuffer(b"".join(map(decoder.decode, packets(said.tobytes()))), np.int16)
    noise = heard.astype(float) - said[: len(heard)]
    assert 10 * np.log10(np.mean(said.astype(float) ** 2) / np.mean(noise**2)) > 20


def test_packet_is_as_the_standard_library_codes_it(speech: Callable[[int], Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        audioop = pytest.importorskip("audioop", reason="Python 3.13 has it no more")
    pcm, state = speech(8000)[:8000].tobytes(), (0, 0)
    for at, packet in enumerate(packets(pcm)):
        predicted, index = state
        codes, state = audioop.lin2adpcm(pcm[at * FRAME : (at + 1) * FRAME], 2, state)
        assert packet == predicted.to_bytes(2, "big", signed=True) + bytes([index, 0]) + codes


def test_lost_packet_harms_none_after_it_and_fades(speech: Callable[[int], Any]) -> None:
    sent = packets(speech(8000)[:4000].tobytes())
    whole, gapped = DVI4.create_decoder(8000), DVI4.create_decoder(8000)
    expected = [whole.decode(packet) for packet in sent]
    for packet in sent[:10]:
        gapped.decode(packet)
    levels = [np.abs(np.frombuffer(gapped.conceal(160), np.int16)).max() for _ in range(20)]
    assert levels == sorted(levels, reverse=True)
    assert levels[-1] == 0
    assert gapped.decode(sent[12]) == expected[12]


@pytest.mark.parametrize("payload", [b"", b"\0\0\0\0", b"\0\0\x59\0\x12", b"\0\0\xff\0\x12"])
def test_what_is_no_packet_is_malformed(payload: bytes) -> None:
    with pytest.raises(Malformed):
        payload_duration_untrusted(payload)
    with pytest.raises(Malformed):
        DVI4.create_decoder(8000).decode(payload)


def test_fuzz_payload_duration_untrusted_and_decode_raise_only_malformed() -> None:
    """payload_duration_untrusted and decode raise Malformed and nothing else, whatever they are given."""
    rng = random.Random(5)
    decoder = DVI4.create_decoder(8000)
    for _ in range(300):
        payload = rng.randbytes(rng.randrange(100))
        with contextlib.suppress(Malformed):
            assert len(decoder.decode(payload)) == 2 * payload_duration_untrusted(payload)
