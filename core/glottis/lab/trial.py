"""One condition from the beginning to its figures, and the hash of all that it depends on."""

import hashlib
from functools import lru_cache
from pathlib import Path
from time import thread_time
from typing import Final

import msgspec
from msgspec import Struct

from glottis.contracts.codec import CodecSpec, EncoderKnobs, EncoderSettings
from glottis.lab.call import Ends, Recording, speak
from glottis.lab.measures import Measures, Timeline, measure
from glottis.lab.networks import events_of
from glottis.lab.parts import delay_maker, files_of, find_codec
from glottis.lab.plan import Condition, digest
from glottis.lab.samples import RATE, Samples
from glottis.lab.speech import SpeechFile, read_speech
from glottis.lab.timing import Costs, Stopwatch, timed
from glottis.peer import PeerSettings

FRAME_SECONDS: Final = 0.02
CORE: Final = Path(__file__).parents[1]
_PROBE: Final = bytes(range(256)) * 40


class Result(Struct, frozen=True, kw_only=True):
    """Of a condition; the same condition has the same, but for ``costs``, which are None where they are not kept."""

    labels: dict[str, str]
    measures: Measures | None = None
    timeline: Timeline | None = None
    error: str = ""
    """What has failed; then there are no figures."""
    costs: Costs | None = None


def run(condition: Condition) -> tuple[Result, Samples]:
    """Let it be said, heard and judged."""
    speech = speech_at(condition.speech)
    encoding, decoding = Stopwatch(), Stopwatch()
    begin = thread_time()
    recording = record(condition, speech, encoding, decoding)
    spoken = thread_time()
    clock_rate = 1 + condition.network.drift_ppm / 1e6
    measures, timeline = measure(recording, speech.speech, events_of(condition.network), clock_rate)
    judged = thread_time()
    call = spoken - begin
    costs = Costs(
        encoder=encoding.seconds,
        decoder=decoding.seconds,
        engines=call - encoding.seconds - decoding.seconds,
        judging=judged - spoken,
        frame_us=1e6 * call * FRAME_SECONDS / recording.seconds,
    )
    return Result(labels=condition.labels, measures=measures, timeline=timeline, costs=costs), recording.heard


def record(condition: Condition, speech: SpeechFile, encoding: Stopwatch, decoding: Stopwatch) -> Recording:
    """What is heard of it."""
    codec = timed(find_codec(condition.codec.codec, condition.plugins), encoding, decoding)
    rate = condition.codec.sample_rate
    return speak(speech.at(rate), rate, ends_of(condition, codec), condition.network, condition.seed)


def ends_of(condition: Condition, codec: CodecSpec) -> Ends:
    """How caller and gateway are set for it."""
    wanted, protection = condition.codec, condition.protection
    knobs = EncoderKnobs(
        bitrate=wanted.bitrate, complexity=wanted.complexity, in_band_fec=protection.fec, dtx=protection.dtx
    )
    mouth = PeerSettings(
        (codec,),
        sample_rate=wanted.sample_rate,
        packet_ms=wanted.packet_ms,
        encoder=knobs,
        red="on" if protection.red else "off",
        max_message_size=None,
    )
    return Ends(mouth, ear_of(mouth, condition), protection.nack)


def ear_of(mouth: PeerSettings, condition: Condition) -> PeerSettings:
    """The listener's: at the rate of what is judged, and with the delay that is tried."""
    return PeerSettings(
        mouth.codecs,
        sample_rate=RATE,
        delay=delay_maker(condition.delay),
        encoder=mouth.encoder,
        red=mouth.red,
        max_message_size=None,
    )


@lru_cache(maxsize=4)
def speech_at(path: str) -> SpeechFile:
    """Read once in each process."""
    return read_speech(Path(path))


# What a result depends on


def key_of(condition: Condition) -> str:
    """The hash of what is run: settings, bytes of the speech, code of glottis and of the codec, and what it encodes."""
    network = condition.network
    traces = [Path(link.trace) for link in (network, network.back) if link is not None and link.trace]
    files = [Path(condition.speech), *files_of(condition.plugins, condition.delay), *traces]
    settings = msgspec.json.encode(condition, order="deterministic")
    for path in files:  # what is in them counts, not where they are
        settings = settings.replace(msgspec.json.encode(str(path))[1:-1], path.name.encode())
    return digest(
        settings,
        code_of(CORE).encode(),
        codec_print(condition.codec.codec, condition.plugins).encode(),
        *(path.read_bytes() for path in files),
    )


@lru_cache(maxsize=32)
def codec_print(name: str, plugins: tuple[str, ...]) -> str:
    """Of a codec's code, and of what it and the library behind it make of a short noise."""
    codec = find_codec(name, plugins)
    rate = codec.sample_rates[0]
    encoder, decoder = codec.create_encoder(EncoderSettings(rate)), codec.create_decoder(rate)
    size = round(rate * FRAME_SECONDS) * 2
    payloads = [encoder.encode(_PROBE[start : start + size]) for start in range(0, len(_PROBE) - size + 1, size)]
    heard = [decoder.decode(payload) for payload in payloads if payload]
    return digest(*payloads, *heard)


@lru_cache(maxsize=8)
def code_of(folder: Path) -> str:
    """Of all Python files of a package."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        whole.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return whole.hexdigest()
