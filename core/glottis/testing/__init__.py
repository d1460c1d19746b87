"""For tests of glottis and of its plugins: contracts as tests, calls without a network, virtual time and networks."""

from glottis.testing.callers.report import CallReport, Report
from glottis.testing.callers.steps import Done, Step
from glottis.testing.callers.trying import try_agent, voice
from glottis.testing.callers.turns import Turn
from glottis.testing.codec_contract import check_codec
from glottis.testing.contract_classes import (
    AgentContract,
    AuthContract,
    CodecContract,
    ComponentContract,
    ExtensionContract,
    IceProviderContract,
    ProcessorContract,
)
from glottis.testing.fake_call import FakeCall, fake_call
from glottis.testing.impairments import PERFECT, Impairments
from glottis.testing.nat import Nat
from glottis.testing.peers import VirtualCall, VirtualPeer
from glottis.testing.rules.rule import Broken, DoesNotApply, NotTried, Outcome, Rule, Verdict
from glottis.testing.virtual_network import VirtualNetwork
from glottis.testing.virtual_time import on_virtual_time

__all__ = [
    "PERFECT",
    "AgentContract",
    "AuthContract",
    "Broken",
    "CallReport",
    "CodecContract",
    "ComponentContract",
    "DoesNotApply",
    "Done",
    "ExtensionContract",
    "FakeCall",
    "IceProviderContract",
    "Impairments",
    "Nat",
    "NotTried",
    "Outcome",
    "ProcessorContract",
    "Report",
    "Rule",
    "Step",
    "Turn",
    "Verdict",
    "VirtualCall",
    "VirtualNetwork",
    "VirtualPeer",
    "check_codec",
    "fake_call",
    "on_virtual_time",
    "try_agent",
    "voice",
]
