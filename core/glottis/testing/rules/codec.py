"""The rules of codecs: see ``CodecSpec`` for the contract. Takes a second of CPU time for a fast codec."""

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from glottis.barrier import stop
from glottis.contracts.audio import BYTES_PER_SAMPLE
from glottis.contracts.codec import AdjustableEncoder, CodecSpec, Decoder, Encoder
from glottis.contracts.errors import Malformed, PluginError
from glottis.plugins.failures import blamed, describe
from glottis.plugins.specifications import check_parameters
from glottis.testing.rules.chunk import Chunk, checked_pcm, chunks_of, usual_chunks_of
from glottis.testing.rules.effort import FRAMES_AT_A_TIME, expect_nothing_kept, milliseconds_of_work
from glottis.testing.rules.rule import Broken, expect, rules_of
from glottis.testing.rules.signals import (
    difference,
    energy,
    melody,
    sample_count,
    signal_to_noise_db,
    tone,
    tone_level,
)
from glottis.testing.rules.subject import check_specification

_WARM_UP_MS: Final = 200
"""Adaptive codecs need a moment; nothing but lengths is checked before."""
_LISTEN_MS: Final = 200
"""88 whole cycles of the tone."""
LEAST_SIGNAL_TO_NOISE_DB: Final = 10.0
"""Of the tone. Telephone quality is 35, and low bitrates have less; a wrong byte order has none."""
_CLEAR_BITRATE: Final = 64_000
"""Of those that can choose: frames of 2.5 ms have 20 bytes then."""
_LOSSY_BITRATE: Final = 24_000
"""As a gateway wishes for where packets are lost: redundancy needs room."""
_LEVEL_RANGE: Final = (0.25, 4.0)
"""The tone may come back between a quarter and four times as loud: codecs differ."""
_JUNK_PAYLOADS: Final = 200
LARGEST_SHARE: Final = 0.2
"""Of real time, for encoding and decoding one call: all calls of a gateway share a core."""

T = TypeVar("T")


def check_format_parameters(spec: CodecSpec) -> None:
    """Whatever is offered is answered or refused, and the codec can talk to itself."""
    for offered in ({}, spec.offer_parameters, {"unknown": "1", "flag": ""}):
        answered = spec.answer_parameters(offered)
        if answered is not None:
            _check_parameters(f"answer_parameters({dict(offered)})", answered)
    own = spec.answer_parameters(spec.offer_parameters)
    expect(own is not None, "answer_parameters refuses offer_parameters: the codec cannot talk to itself")


def check_lengths(spec: CodecSpec) -> None:
    """Every pair of rate and duration, with a frame of each kind that may come first."""
    for chunk in chunks_of(spec):
        encoder, decoder = chunk.encoder(), chunk.decoder()
        for frame in chunk.frames(tone(chunk.sample_rate, 400))[:3]:
            chunk.decoded(decoder, chunk.encoded(encoder, frame, "encode"))


def check_round_trip(spec: CodecSpec) -> None:
    """A tone, whose delay does not matter."""
    for chunk in chunks_of(spec):
        encoder, decoder = chunk.encoder(bitrate=_CLEAR_BITRATE), chunk.decoder()
        frames = chunk.frames(tone(chunk.sample_rate, 2 * (_WARM_UP_MS + _LISTEN_MS)))
        enough = -(-(_WARM_UP_MS + _LISTEN_MS) // chunk.frame_ms)
        heard = b"".join(
            chunk.decoded(decoder, chunk.encoded(encoder, frame, "encode")) for frame in frames[: round(enough)]
        )
        _check_tone(heard, chunk, "the tone")


def check_wrong_length(spec: CodecSpec) -> None:
    """Frames that are none."""
    for chunk in chunks_of(spec):
        frame = chunk.frames(tone(chunk.sample_rate, 400))[0]
        encoder = chunk.encoder()
        for wrong in (b"", frame[:-BYTES_PER_SAMPLE], frame[:-1], frame + bytes(BYTES_PER_SAMPLE)):
            raised = _raised_by(encoder.encode, wrong)
            expect(
                isinstance(raised, ValueError),  # the cause, of a codec that stands behind a guard
                f"{chunk}: encode of {len(wrong)} bytes instead of {len(frame)} must raise ValueError, "
                f"not {describe(raised) if raised else 'return'}",
            )


def check_knobs(spec: CodecSpec) -> None:
    """Each that a gateway turns, before and within a call."""
    knobs: list[Mapping[str, Any]] = [
        {"complexity": 0},
        {"complexity": 10},
        {"bitrate": 6000},
        {"bitrate": 510_000},
        {"in_band_fec": False},
        {"expected_loss": 1.0},
        {"remote_parameters": {}},
    ]
    for chunk in usual_chunks_of(spec):
        frames = chunk.frames(tone(chunk.sample_rate, 400))
        for knob in knobs:
            chunk.decoded(chunk.decoder(), chunk.encoded(chunk.encoder(**knob), frames[0], f"encode with {dict(knob)}"))
        encoder, decoder = chunk.encoder(), chunk.decoder()
        for index, turn in enumerate(_turns_of(encoder)):
            turn()
            chunk.decoded(decoder, chunk.encoded(encoder, frames[index % len(frames)], "encode after a change"))


def _turns_of(encoder: Encoder) -> Iterator[Callable[[], None]]:
    for fraction in (0.0, 0.1, 1.0):
        yield lambda fraction=fraction: encoder.set_expected_loss(fraction)  # type: ignore[misc]
    for bitrate in (8000, 32_000, 256_000):
        yield lambda bitrate=bitrate: encoder.set_bitrate(bitrate)  # type: ignore[misc]
    if isinstance(encoder, AdjustableEncoder):
        for complexity in (0, 10, 3):
            yield lambda complexity=complexity: encoder.set_complexity(complexity)  # type: ignore[misc]


def check_independence(spec: CodecSpec) -> None:
    """Two calls at a time do not hear each other."""
    for chunk in usual_chunks_of(spec):
        frames, others = chunk.frames(melody(chunk.sample_rate, 200)), chunk.frames(tone(chunk.sample_rate, 200))
        alone = _heard(chunk, frames)
        encoder, decoder = chunk.encoder(), chunk.decoder()
        other_encoder, other_decoder = chunk.encoder(), chunk.decoder()
        beside = []
        for frame, other in zip(frames, others, strict=True):
            beside.append(decoder.decode(encoder.encode(frame)))
            other_decoder.decode(other_encoder.encode(other))
        expect(alone == b"".join(beside), f"{chunk}: sounds different beside another call: they share a state")


def check_resets(spec: CodecSpec) -> None:
    """What is made anew knows nothing of what was before."""
    for chunk in usual_chunks_of(spec):
        frames = chunk.frames(melody(chunk.sample_rate, 200))
        first = _heard(chunk, frames)
        expect(
            first == _heard(chunk, frames), f"{chunk}: the second call of the same sound is different from the first"
        )


def check_silence(spec: CodecSpec) -> None:
    """With discontinuous transmission a frame is either not to be sent, or as good as any other."""
    for chunk in usual_chunks_of(spec):
        encoder, decoder = chunk.encoder(dtx=True), chunk.decoder()
        for _ in range(round(500 / chunk.frame_ms)):
            if payload := encoder.encode(bytes(chunk.count * BYTES_PER_SAMPLE)):
                chunk.decoded(decoder, payload, "decode of silence")


def check_garbage(spec: CodecSpec) -> None:
    """Payloads come from the network: only ``Malformed`` may be raised, and lengths must agree."""
    for chunk in usual_chunks_of(spec):
        encoder, decoder, rng = chunk.encoder(), chunk.decoder(), random.Random(chunk.sample_rate)
        genuine = [encoder.encode(frame) for frame in chunk.frames(melody(chunk.sample_rate, 200))]
        for index in range(_JUNK_PAYLOADS):
            payload = rng.randbytes(index and rng.randrange(1, 200)) if index % 2 else mutant(rng, rng.choice(genuine))
            filled = decoder.decode_fec(payload, chunk.count)
            checked_pcm(filled, chunk.count, f"{chunk}: decode_fec of junk")
            _check_reach(spec, payload, f"{chunk}: junk")
            duration = _unless_malformed(spec.payload_duration_untrusted, payload, f"{chunk}: junk")
            pcm = _unless_malformed(decoder.decode, payload, f"{chunk}: junk")
            if pcm is not None:
                expect(bool(duration), f"{chunk}: decoded {len(payload)} bytes of junk that have no duration")
                expected = (duration or 0) * chunk.sample_rate // spec.clock_rate
                checked_pcm(pcm, expected, f"{chunk}: decode of junk")
        chunk.decoded(decoder, genuine[0], "decode after junk")


def check_cost(spec: CodecSpec) -> None:
    """The dearest of the usual frames, in its share of the time that it lasts."""
    for chunk in usual_chunks_of(spec):
        frames = chunk.frames(melody(chunk.sample_rate, 200))
        encoder, decoder = chunk.encoder(), chunk.decoder()

        def talk(
            frames: list[bytes] = frames, encode: Callable[[bytes], bytes] = encoder.encode, decoder: Decoder = decoder
        ) -> None:
            for frame in frames:
                decoder.decode(encode(frame))

        talk()
        share = milliseconds_of_work(talk) / (len(frames) * chunk.frame_ms)
        expect(
            share <= LARGEST_SHARE,
            f"{chunk}: takes {share:.0%} of the time that the sound lasts, expected {LARGEST_SHARE:.0%} at most",
        )


def check_leaks(spec: CodecSpec) -> None:
    """Calls come and go, and some last for long."""
    chunk = usual_chunks_of(spec)[-1]
    frames = chunk.frames(tone(chunk.sample_rate, 200))
    encoder, decoder = chunk.encoder(complexity=0), chunk.decoder()

    def go_on() -> None:
        for frame in frames[:FRAMES_AT_A_TIME]:
            decoder.decode(encoder.encode(frame))

    def come_and_go() -> None:
        decoder = chunk.decoder()
        decoder.decode(chunk.encoder(complexity=0).encode(frames[0]))
        decoder.conceal(chunk.count)

    expect_nothing_kept(come_and_go, f"{chunk}: each encoder with its decoder")
    expect_nothing_kept(go_on, f"{chunk}: a call that goes on for some frames")


def check_concealment(spec: CodecSpec) -> None:
    """Gaps of any length, also before the first packet."""
    for chunk in usual_chunks_of(spec):
        decoder, encoder = chunk.decoder(), chunk.encoder()
        for gap in (0, chunk.count, 1):
            checked_pcm(decoder.conceal(gap), gap, f"{chunk}: conceal({gap}) before any packet")
        for frame in chunk.frames(tone(chunk.sample_rate, 200)):
            decoder.decode(encoder.encode(frame))
        for gap in (1, 7, chunk.count - 1, 3 * chunk.count, 0):
            checked_pcm(decoder.conceal(gap), gap, f"{chunk}: conceal({gap})")
        for _ in range(round(1000 / chunk.frame_ms)):
            last = decoder.conceal(chunk.count)
        expect(
            energy(last) < energy(tone(chunk.sample_rate, 200)) / 10,
            f"{chunk}: after a second without a packet, conceal still sounds: it is to fade",
        )


def check_recovery(spec: CodecSpec) -> None:
    """After a gap the sound is as good as before."""
    for chunk in usual_chunks_of(spec):
        encoder, decoder = chunk.encoder(), chunk.decoder()
        frames = chunk.frames(tone(chunk.sample_rate, 3 * _WARM_UP_MS + 2 * _LISTEN_MS))
        gap = range(round(_WARM_UP_MS / chunk.frame_ms), round(_WARM_UP_MS / chunk.frame_ms) + 5)
        heard = b""
        for index, frame in enumerate(frames):
            payload = encoder.encode(frame)
            heard += decoder.conceal(chunk.count) if index in gap else chunk.decoded(decoder, payload, "decode")
        _check_tone(heard, chunk, "the tone after a gap")


def check_redundancy(spec: CodecSpec) -> None:
    """What comes before a packet is filled from it, to any length; better than without it, where the codec says so."""
    for chunk in usual_chunks_of(spec):
        encoder, decoder = chunk.encoder(expected_loss=0.2), chunk.decoder()
        payloads = [encoder.encode(frame) for frame in chunk.frames(melody(chunk.sample_rate, 600))]
        for payload in payloads:
            _check_reach(spec, payload, f"{chunk}")
        for gap in (0, 1, chunk.count, 3 * chunk.count + 1):
            filled = decoder.decode_fec(payloads[0], gap)
            checked_pcm(filled, gap, f"{chunk}: decode_fec(payload, {gap})")
    if spec.in_band_redundancy:
        worths = [_worth(chunk) for chunk in usual_chunks_of(spec)]
        expect(
            sum(known for _, known in worths) < sum(guessed for guessed, _ in worths),
            "in_band_redundancy promises more than decode_fec keeps: lost frames are as wrong as concealed ones",
        )


def _check_reach(spec: CodecSpec, payload: bytes, what: str) -> None:
    reach = spec.redundancy_reach(payload)
    expect(
        type(reach) is int and reach >= 0, f"{what}: redundancy_reach returned {reach!r}, not a number of clock units"
    )


def _worth(chunk: Chunk) -> tuple[float, float]:
    """How wrong lost frames are that are concealed, and that the next packet helps with."""
    encoder = chunk.encoder(expected_loss=0.2, bitrate=_LOSSY_BITRATE)
    payloads = [encoder.encode(frame) for frame in chunk.frames(melody(chunk.sample_rate, 600))]
    clean, guessing, knowing = chunk.decoder(), chunk.decoder(), chunk.decoder()
    wrong = [0.0, 0.0]
    for index, payload in enumerate(payloads[:-1]):
        wanted = clean.decode(payload)
        if index % 5 != 4:
            guessing.decode(payload)
            knowing.decode(payload)
            continue
        filled = guessing.conceal(chunk.count), knowing.decode_fec(payloads[index + 1], chunk.count)
        wrong = [before + difference(wanted, pcm) for before, pcm in zip(wrong, filled, strict=True)]
    return wrong[0], wrong[1]


def _heard(chunk: Chunk, frames: list[bytes]) -> bytes:
    encoder, decoder = chunk.encoder(), chunk.decoder()
    return b"".join(decoder.decode(encoder.encode(frame)) for frame in frames)


def _check_tone(heard: bytes, chunk: Chunk, what: str) -> None:
    pcm = heard[-sample_count(chunk.sample_rate, _LISTEN_MS) * BYTES_PER_SAMPLE :]
    level = tone_level(pcm, chunk.sample_rate)
    expect(_LEVEL_RANGE[0] < level < _LEVEL_RANGE[1], f"{chunk}: {what} came back {level:.3f} times as loud")
    ratio = signal_to_noise_db(pcm, chunk.sample_rate)
    expect(
        ratio >= LEAST_SIGNAL_TO_NOISE_DB,
        f"{chunk}: {what} came back {ratio:.0f} dB above noise, expected {LEAST_SIGNAL_TO_NOISE_DB:.0f} dB or more",
    )


def mutant(rng: random.Random, payload: bytes) -> bytes:
    """Nearly the same."""
    changed = bytearray(payload)
    for _ in range(rng.randrange(4) if changed else 0):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed[: rng.randrange(len(changed) + 1)]) if rng.random() < 0.3 else bytes(changed)


def _check_parameters(what: str, parameters: object) -> None:
    try:
        check_parameters(what, parameters)
    except ValueError as error:
        raise Broken(str(error)) from None


def _unless_malformed(parse: Callable[[bytes], T], payload: bytes, what: str) -> T | None:
    try:
        return parse(payload)
    except Malformed:
        return None
    except BaseException as error:
        raise Broken(f"{blamed(error, what)}; only Malformed is allowed") from None


def _raised_by(function: Callable[[bytes], object], argument: bytes) -> BaseException | None:
    raised: list[BaseException] = []
    try:
        function(argument)
    except PluginError as error:
        return error.__cause__
    except BaseException as error:
        stop(error, raised.append)
    return raised[0] if raised else None


CODEC_RULES: Final = rules_of(
    "codec",
    ("description", "the specification can be used in a session description", check_specification),
    ("format-parameters", "format parameters are answered, and its own are accepted", check_format_parameters),
    ("lengths", "a frame of each rate and duration comes back with its length", check_lengths),
    ("round-trip", "a tone comes back at its level, well above noise", check_round_trip),
    ("wrong-length", "a frame of another length is refused with ValueError", check_wrong_length),
    ("knobs", "each setting, and each change within a call, leaves frames as long as they are", check_knobs),
    ("independence", "two calls at a time share no state", check_independence),
    ("resets", "what is made anew begins anew", check_resets),
    ("silence", "silence is sent whole, or not at all", check_silence),
    ("concealment", "a gap of any length is filled exactly, and fades", check_concealment),
    ("recovery", "after a gap the sound is as good as before", check_recovery),
    ("redundancy", "decode_fec fills any gap, and better than conceal where it says so", check_redundancy),
    ("garbage", "junk from the network raises Malformed and nothing else", check_garbage),
    ("cost", "a call takes a small share of real time", check_cost),
    ("leaks", "encoders, decoders and frames leave nothing behind", check_leaks),
)
