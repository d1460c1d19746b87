"""Which telephone events both sides have (RFC 4733 §2.4.1): beside the codecs of a section, and none of these."""

from collections.abc import Iterable, Sequence
from typing import Final

from glottis.sdp.codecs import AudioCapability, DescribedFormat, NegotiatedFormat, common_formats, offered_formats

TELEPHONE_EVENT: Final = "telephone-event"
EVENTS: Final = {"0-15": ""}
"""The keys of a telephone, RFC 4733 §3.2."""
DEFAULT_CLOCK_RATE: Final = 8000
"""Hertz: all that some offer, whatever codec they send (Firefox does)."""


def is_event(negotiated: NegotiatedFormat) -> bool:
    """Whether it is no codec."""
    return negotiated.encoding_name == TELEPHONE_EVENT


def common_events(
    offered: Sequence[DescribedFormat], codecs: Sequence[NegotiatedFormat]
) -> tuple[NegotiatedFormat, ...]:
    """The offered events at the clocks of ``codecs``, with which they share a stream; failing these, at 8000 Hz."""
    clock_rates = [codec.clock_rate for codec in codecs]
    return common_formats(offered, _capabilities(clock_rates)) or common_formats(
        offered, _capabilities([DEFAULT_CLOCK_RATE])
    )


def with_events(codecs: Sequence[AudioCapability]) -> tuple[NegotiatedFormat, ...]:
    """What is offered: ``codecs``, and events at the clock of each and at 8000 Hz."""
    clock_rates = [*(codec.clock_rate for codec in codecs), DEFAULT_CLOCK_RATE]
    return offered_formats([*codecs, *_capabilities(clock_rates)])


def _capabilities(clock_rates: Iterable[int]) -> list[AudioCapability]:
    return [
        AudioCapability(
            TELEPHONE_EVENT, clock_rate, answer_format_parameters=lambda _: EVENTS, offer_format_parameters=EVENTS
        )
        for clock_rate in dict.fromkeys(clock_rates)
    ]
