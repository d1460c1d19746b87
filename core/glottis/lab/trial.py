"""One condition from the beginning to its figures."""

from functools import lru_cache
from pathlib import Path
from time import thread_time
from typing import Final

import msgspec
from msgspec import Struct

from glottis.contracts.codec import CodecSpec, EncoderKnobs
from glottis.lab.call import Ends, Recording, speak
from glottis.lab.conversation import TimedTurn, conversation_with
from glottis.lab.measures import Measures, Timeline, measure
from glottis.lab.networks import events_of
from glottis.lab.parts import delay_maker, find_codec
from glottis.lab.plan import Condition
from glottis.lab.samples import RATE, Samples
from glottis.lab.speech import SpeechFile, read_speech
from glottis.lab.timing import Costs, Watch, virtual_time, watched
from glottis.peer import PeerSettings

FRAME_SECONDS: Final = 0.02


class Result(Struct, frozen=True, kw_only=True):
    """Of a condition; the same condition has the same, but for ``costs``, which are None where they are not kept."""

    labels: dict[str, str]
    measures: Measures | None = None
    timeline: Timeline | None = None
    turns: tuple[TimedTurn, ...] = ()
    """Of the conversation with an agent."""
    error: str = ""
    """What has failed; then there are no figures."""
    costs: Costs | None = None


@virtual_time()
def run(condition: Condition) -> tuple[Result, Samples]:
    """Let it be said, heard and judged."""
    speech = speech_at(condition.speech)
    watch = Watch()
    begin = thread_time()
    recording = record(condition, speech, watch)
    spoken = thread_time()
    clock_rate = 1 + condition.network.drift_ppm / 1e6
    measures, timeline = measure(recording, speech.speech, events_of(condition.network), clock_rate)
    judged = thread_time()
    turns: tuple[TimedTurn, ...] = ()
    if condition.agent is not None:
        codec = find_codec(condition.codec.codec, condition.plugins)
        times, turns = conversation_with(condition, ends_of(condition, codec))
        measures = msgspec.structs.replace(measures, **times)
    call = spoken - begin
    costs = Costs(
        encoder=watch.encoder,
        decoder=watch.decoder,
        engines=call - watch.encoder - watch.decoder,
        judging=judged - spoken,
        frame_us=1e6 * call * FRAME_SECONDS / recording.seconds,
    )
    result = Result(labels=condition.labels, measures=measures, timeline=timeline, turns=turns, costs=costs)
    return result, recording.heard


def record(condition: Condition, speech: SpeechFile, watch: Watch) -> Recording:
    """What is heard of it."""
    codec = watched(find_codec(condition.codec.codec, condition.plugins), watch)
    rate = condition.codec.sample_rate
    recording = speak(speech.at(rate), rate, ends_of(condition, codec), condition.network, condition.seed)
    recording.recovered_samples = watch.recovered_samples
    return recording


def ends_of(condition: Condition, codec: CodecSpec) -> Ends:
    """How caller and gateway are set for it."""
    wanted, protection = condition.codec, condition.protection
    knobs = EncoderKnobs(
        bitrate=wanted.bitrate,
        complexity=wanted.complexity,
        in_band_fec=protection.fec,
        dtx=protection.dtx,
        dred_ms=protection.dred_ms,
    )
    mouth = PeerSettings(
        (codec,),
        sample_rate=wanted.sample_rate,
        packet_ms=wanted.packet_ms,
        encoder=knobs,
        red=protection.red,
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
