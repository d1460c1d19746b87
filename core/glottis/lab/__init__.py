"""The researchers' bench: what changes in what callers hear, measured on virtual networks and virtual time.

Nothing else of glottis imports it, and it needs the extra ``glottis[lab]``.
"""

from glottis.lab.experiment import Experiment, read_experiment
from glottis.lab.networks import Break, BurstLoss, GilbertElliottLoss, Handover, Link, Network, Rate, Stalls
from glottis.lab.plan import Agent, Codec, Condition, Delay, Protection
from glottis.lab.replaying.replay import Replay, replay
from glottis.lab.results import Results, load_results

__all__ = [
    "Agent",
    "Break",
    "BurstLoss",
    "Codec",
    "Condition",
    "Delay",
    "Experiment",
    "GilbertElliottLoss",
    "Handover",
    "Link",
    "Network",
    "Protection",
    "Rate",
    "Replay",
    "Results",
    "Stalls",
    "load_results",
    "read_experiment",
    "replay",
]
