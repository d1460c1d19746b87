"""What a gateway hears of a caller: glottis' own engines at both ends of a network that loses packets, on virtual time.

The caller encodes as browsers do: Opus of 48 kHz at 32 kbit/s, with in-band FEC for as much loss as the gateway has
reported, and asks for no packet again. The gateway's end has the defaults of the configuration, its jitter buffer too.
"""

import random
from dataclasses import replace
from typing import Final

import numpy as np
from glottis.config.settings import Media
from glottis.contracts.audio import FRAME_SECONDS
from glottis.lab.call import without_nack
from glottis.lab.samples import resampled
from glottis.peer import PeerSettings
from glottis.rtp.adaptive_delay import AdaptiveDelay
from glottis.testing.impairments import Impairments
from glottis.testing.peers import VirtualCall

from benchmarks.conversation.voices import RATE
from benchmarks.speech import opus
from benchmarks.voice.caller import KNOBS

FACTOR: Final = 3
"""Of ``RATE``: browsers give Opus 48 kHz."""
FRAME_BYTES: Final = round(2 * FACTOR * RATE * FRAME_SECONDS)
_MEDIA: Final = Media()


class Line:
    """One call, whose caller speaks or is silent all the time."""

    def __init__(self, loss: float, seed: int) -> None:
        codec = opus()
        self._call = VirtualCall(
            (codec,),
            seed=seed,
            caller_settings=PeerSettings(
                (replace(codec, default_bitrates={}),), sample_rate=FACTOR * RATE, encoder=KNOBS, max_message_size=None
            ),
            gateway_settings=PeerSettings((codec,), sample_rate=RATE, delay=_delay, max_message_size=None),
        )
        self._connect()
        self._call.network.rng = random.Random(seed)
        self._call.network.impairments = Impairments(loss=loss)

    def carry(self, pcm: bytes) -> bytes:
        """What is heard while this is said at ``RATE``: as long, and a little later."""
        samples = resampled(np.frombuffer(pcm, np.int16), FACTOR).tobytes()
        heard = self._call.gateway.heard
        heard.clear()
        for at in range(0, len(samples), FRAME_BYTES):
            self._call.caller.connection.voice.write(samples[at : at + FRAME_BYTES].ljust(FRAME_BYTES, b"\0"))
            self._call.network.run(seconds=FRAME_SECONDS)
        return bytes(heard)

    def _connect(self) -> None:
        caller, gateway, network = self._call.caller, self._call.gateway, self._call.network
        answer = gateway.connection.accept_offer_untrusted(without_nack(caller.connection.make_offer()), network.now)
        caller.connection.accept_answer_untrusted(answer, network.now)
        assert network.run(lambda: caller.connected and gateway.connected)
        caller.start_media(network.now)
        gateway.start_media(network.now)


def _delay() -> AdaptiveDelay:
    least, most = _MEDIA.jitter_buffer_min_ms / 1000, _MEDIA.jitter_buffer_max_ms / 1000
    return AdaptiveDelay(least, most, _MEDIA.jitter_buffer_lateness, FRAME_SECONDS)
