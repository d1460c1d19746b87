"""Networks with names.

The figures are round ones in the style of what is named as their source, and no test vectors of it: they are for
comparing, and say what they are.
"""

from typing import Final

import msgspec

from glottis.contracts.errors import ConfigurationError
from glottis.lab.networks import BurstLoss, Link, Network, Rate, Stalls
from glottis.lab.networks import GilbertElliottLoss as Ge
from glottis.lab.plan import label_of

_G1050: Final = "in the style of ITU-T G.1050 / TIA-921, {}: round figures within its ranges, not its test vectors"
_OWN: Final = "round figures of glottis' own for {}; measured nowhere"

PRESETS: Final[dict[str, Network]] = {
    "clean": Network(source="nothing happens, and the way takes no time"),
    "g1050-managed": Network(
        delay_ms=40, jitter_ms=20, jitter_correlation=0.5, loss=0.0005, source=_G1050.format("a well-managed network")
    ),
    "g1050-partly-managed": Network(
        delay_ms=80,
        jitter_ms=60,
        jitter_correlation=0.7,
        gilbert_elliott=Ge(good_to_bad=0.005, bad_to_good=0.4, loss_bad=0.8),
        source=_G1050.format("a partially managed network"),
    ),
    "g1050-unmanaged": Network(
        delay_ms=120,
        jitter_ms=150,
        jitter_correlation=0.8,
        gilbert_elliott=Ge(good_to_bad=0.02, bad_to_good=0.25, loss_good=0.01, loss_bad=0.7),
        reordered=0.001,
        source=_G1050.format("an unmanaged network such as the Internet"),
    ),
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
