"""Networks with names, and where their figures are from.

Those of ITU-T G.1050 have the figures of its core network, for each of its eight severities; the others have round ones
of glottis' own, for comparing.
"""

from typing import Final

import msgspec

from glottis.contracts.errors import ConfigurationError
from glottis.lab.networks import BurstLoss, Link, Network, Rate, Stalls
from glottis.lab.plan import label_of

_G1050: Final = (
    "ITU-T G.1050 / TIA-921, the core network of severity {}, as spandsp quotes it, and nothing else of it: {} of 100 "
    "networks that are well managed, partially managed, unmanaged"
)
_SEVERITIES: Final = {
    "a": (4, 5, 0.0, "50, 5, 5"),
    "b": (8, 10, 0.0001, "30, 25, 5"),
    "c": (16, 16, 0.0002, "15, 30, 10"),
    "d": (32, 40, 0.0004, "5, 25, 15"),
    "e": (64, 70, 0.001, "0, 10, 20"),
    "f": (128, 100, 0.002, "0, 0, 25"),
    "g": (256, 150, 0.005, "0, 0, 15"),
    "h": (512, 500, 0.01, "0, 0, 5"),
}
"""Regional delay and jitter in milliseconds, loss, and how likely: in each of its service profiles."""
_OWN: Final = "round figures of glottis' own for {}; measured nowhere"

PRESETS: Final[dict[str, Network]] = {
    "clean": Network(source="nothing happens, and the way takes no time"),
    **{
        f"g1050-{severity}": Network(
            delay_ms=delay,
            jitter_ms=jitter,
            keeps_order=False,  # appendix II: each packet's is drawn by itself, and the core alone may reorder
            loss=loss,
            source=_G1050.format(severity.upper(), likely),
        )
        for severity, (delay, jitter, loss, likely) in _SEVERITIES.items()
    },
    "4g": Network(
        delay_ms=35,
        jitter_ms=30,
        jitter_correlation=0.6,
        loss=0.002,
        stalls=Stalls(every_s=8, ms=80),
        rate=Rate(kbits=2000, queue_ms=300),
        back=Link(delay_ms=25, jitter_ms=15, loss=0.001, rate=Rate(kbits=10_000, queue_ms=300)),
        source=_OWN.format("a loaded LTE cell: scheduling grants, retransmissions of HARQ and RLC as stalls"),
    ),
    "train": Network(
        delay_ms=50,
        jitter_ms=60,
        jitter_correlation=0.8,
        bursts=BurstLoss(loss=0.03, length=6),
        stalls=Stalls(every_s=6, ms=250),
        source=_OWN.format("a mobile network from a train: handovers every few seconds as stalls and bursts"),
    ),
    "hotel-wifi": Network(
        delay_ms=20,
        jitter_ms=80,
        jitter_correlation=0.7,
        bursts=BurstLoss(loss=0.02, length=3),
        rate=Rate(kbits=500, queue_ms=600),
        source=_OWN.format("a shared access point far away, and a long queue behind it"),
    ),
    "bufferbloat": Network(
        delay_ms=15, rate=Rate(kbits=52, queue_ms=1000), source=_OWN.format("an uplink hardly wide enough for Opus")
    ),
    "satellite": Network(
        delay_ms=280, jitter_ms=15, loss=0.005, source=_OWN.format("a geostationary hop of 36,000 km up and down")
    ),
}


def resolve(network: Network) -> Network:
    """With its preset under what it says itself, and with a label. Raises ``ConfigurationError`` for an unknown one."""
    if not network.preset:
        return network
    preset = PRESETS.get(network.preset)
    if preset is None:
        raise ConfigurationError(f"preset: there is no {network.preset!r}; available: {', '.join(PRESETS)}")
    own = {name: getattr(network, name) for name in _said(network) if name != "label"}
    return msgspec.structs.replace(preset, **own, label=label_of(network))


def _said(network: Network) -> list[str]:
    return [field.name for field in msgspec.structs.fields(network) if getattr(network, field.name) != field.default]
