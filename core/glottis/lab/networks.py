"""What an experiment says of its networks, and the models that are made of it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from glottis.lab.models import (
    Bottleneck,
    Bursts,
    Carrier,
    Chain,
    Doubled,
    GilbertElliott,
    Jitter,
    Longer,
    Model,
    Outage,
    Overtaken,
    Spikes,
)
from glottis.lab.trace import load_trace
from glottis.testing.impairments import Impairments

Share = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]


class BurstLoss(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Gilbert's model by what one sees of it: the share of all that is lost, and how many in a row on average."""

    loss: Annotated[float, Meta(ge=0, lt=1)]
    length: Annotated[float, Meta(ge=1)]


class GilbertElliottLoss(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """See ``models.GilbertElliott``."""

    good_to_bad: Share
    bad_to_good: Share
    loss_good: Share = 0.0
    loss_bad: Share = 1.0


class Stalls(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every so many seconds all is held up, and then comes at once."""

    every_s: Positive
    ms: Positive


class Break(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Nothing passes for a while, once."""

    at_s: NotNegative
    seconds: Positive


class Handover(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The speaker gets another address: nothing passes for ``gap_ms``, and then all takes ``longer_ms`` more."""

    at_s: NotNegative
    gap_ms: NotNegative = 100.0
    longer_ms: NotNegative = 0.0


class Rate(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A bottleneck: thousands of bits per second with IP and UDP, and what its queue holds in milliseconds."""

    kbits: Positive
    queue_ms: NotNegative = 200.0


class Link(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One direction. What is not said does not happen."""

    loss: Share = 0.0
    bursts: BurstLoss | None = None
    gilbert_elliott: GilbertElliottLoss | None = None
    delay_ms: NotNegative = 0.0
    jitter_ms: NotNegative = 0.0
    jitter_correlation: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    keeps_order: bool = True
    """Whether jitter is that of a queue, in which nothing overtakes."""
    reordered: Share = 0.0
    reordered_by_ms: NotNegative = 30.0
    duplicated: Share = 0.0
    duplicated_after_ms: NotNegative = 5.0
    stalls: Stalls | None = None
    outages: tuple[Break, ...] = ()
    rate: Rate | None = None
    trace: str = ""
    """A file that ``glottis lab trace`` has written."""


class Network(Link, frozen=True, kw_only=True, omit_defaults=True):
    """From the speaker to the listener, and ``back`` where that is another way: it carries feedback."""

    label: str = ""
    preset: str = ""
    """One of ``glottis lab networks``; the other keys go on top of it."""
    source: str = ""
    """Where its figures are from."""
    back: Link | None = None
    drift_ppm: Annotated[float, Meta(ge=-20_000, le=20_000)] = 0.0
    """By how many millionths the speaker's clock is too fast."""
    handovers: tuple[Handover, ...] = ()


def carriers(network: Network, seed: int) -> tuple[Carrier, Carrier]:
    """Of both directions: to the listener, and back."""
    back = network.back or network
    return _carrier(network, network, f"{seed} up"), _carrier(back, network, f"{seed} down")


def events_of(network: Network) -> list[tuple[float, float]]:
    """When something happens to the way to the listener that is over at some time, in seconds since speech began."""
    breaks = [(one.at_s, one.at_s + one.seconds) for one in network.outages]
    return sorted(breaks + [(one.at_s, one.at_s + one.gap_ms / 1000) for one in network.handovers])


def _carrier(link: Link, network: Network, seed: str) -> Carrier:
    rate = link.rate
    bottleneck = Bottleneck(rate.kbits * 1000, rate.queue_ms / 1000) if rate is not None else None
    return Carrier(_maker(link, network.handovers), seed, bottleneck)


def _maker(link: Link, handovers: Sequence[Handover]) -> Callable[[], Model]:
    def make() -> Model:
        return Chain([*_losses(link), *_delays(link, handovers)])

    return make


def _losses(link: Link) -> list[Model]:
    models: list[Model] = [Outage(one.at_s, one.seconds) for one in link.outages]
    if link.loss:
        models.append(Impairments(loss=link.loss))
    if link.bursts is not None:
        models.append(Bursts(link.bursts.loss, link.bursts.length))
    if (states := link.gilbert_elliott) is not None:
        models.append(GilbertElliott(states.good_to_bad, states.bad_to_good, states.loss_good, states.loss_bad))
    return models


def _delays(link: Link, handovers: Sequence[Handover]) -> list[Model]:
    models: list[Model] = []
    if link.trace:
        models.append(load_trace(Path(link.trace)))
    if link.stalls is not None:
        models.append(Spikes(link.stalls.every_s, link.stalls.ms / 1000))
    if link.delay_ms or link.jitter_ms:
        seconds = link.delay_ms / 1000, link.jitter_ms / 1000
        models.append(Jitter(*seconds, link.jitter_correlation, link.keeps_order))
    for one in handovers:
        models += [Outage(one.at_s, one.gap_ms / 1000), Longer(one.at_s, one.longer_ms / 1000)]
    if link.reordered:
        models.append(Overtaken(link.reordered, link.reordered_by_ms / 1000))
    if link.duplicated:
        models.append(Doubled(link.duplicated, link.duplicated_after_ms / 1000))
    return models
