"""Specifications that cannot be used are refused when they are registered, with the field that is wrong."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from glottis import AgentSpec, AuthSchemeSpec, CodecSpec, ComponentSpec, IceServerProviderSpec, Page, PagesSpec
from glottis.plugins.specifications import Spec, check_spec
from support.installed import installed_plugins

CODEC: Any = installed_plugins().codecs.find("opus").spec
AGENT: Any = AgentSpec("a", lambda settings: settings)
PAGES: Any = PagesSpec("a", {"/": Page(b"", "text/html")})
SCHEME: Any = AuthSchemeSpec("a", lambda settings: settings)
PROVIDER: Any = IceServerProviderSpec("a", lambda settings: settings)
COMPONENT: Any = ComponentSpec(int, "a", int)


class Named(msgspec.Struct, frozen=True):
    label: str = msgspec.field(name="name", default="")


@pytest.mark.parametrize(
    "spec", [CODEC, AGENT, PAGES, SCHEME, PROVIDER, COMPONENT], ids=lambda spec: type(spec).__name__
)
def test_good_specifications_pass(spec: Spec) -> None:
    check_spec(spec)


@pytest.mark.parametrize(
    ("spec", "rule"),
    [
        (replace(AGENT, name=None), "name: expected str"),
        (replace(AGENT, name="two\nlines"), "name: expected a name in one line"),
        (replace(AGENT, sample_rate="16000"), "sample_rate: expected an integer, got str"),
        (replace(AGENT, sample_rate=0), "sample_rate: expected an integer of at least 1, got 0"),
        (replace(AGENT, frame_ms=30), "frame_ms: expected one of 10, 20, got 30"),
        (replace(AGENT, config_type=dict), "config_type: expected a subclass of msgspec.Struct"),
        (replace(SCHEME, create=None), "create: expected a function, got NoneType"),
        (replace(PROVIDER, config_type=PAGES), "config_type: expected"),
        (replace(COMPONENT, kind="int"), "kind: expected a class, a Protocol as a rule, got 'int'"),
        (replace(COMPONENT, kind=list[int]), "kind: expected a class"),
        (replace(COMPONENT, create=None), "create: expected a function, got NoneType"),
        (replace(COMPONENT, config_type=Named), 'config_type: has the key "name"'),
        (replace(CODEC, encoding_name="my codec"), "encoding_name: expected a token"),
        (replace(CODEC, encoding_name="opus/48000"), "encoding_name: expected a token"),
        (replace(CODEC, clock_rate=48000.0), "clock_rate: expected an integer, got float"),
        (replace(CODEC, channels=0), "channels: expected an integer of at least 1"),
        (replace(CODEC, static_payload_type=111), "static_payload_type: expected an integer from 0 to 95, got 111"),
        (replace(CODEC, sample_rates=()), "sample_rates: expected at least one"),
        (replace(CODEC, sample_rates=48000), "sample_rates: expected Sequence, got int"),
        (replace(CODEC, frame_durations_ms=(20, "40")), r"frame_durations_ms: expected int \| float, got str"),
        (replace(CODEC, frame_durations_ms=(0,)), "frame_durations_ms: expected milliseconds above 0, got 0"),
        (replace(CODEC, offer_parameters={"useinbandfec": 1}), r"offer_parameters\['useinbandfec'\]: expected str"),
        (replace(CODEC, offer_parameters={"a": "1\r\na=x"}), "offer_parameters: expected parameters of one line"),
        (replace(CODEC, offer_parameters={"a": "1;b=2"}), "offer_parameters: expected parameters of one line"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(spec: Spec, rule: str) -> None:
    with pytest.raises(ValueError, match=f"^{rule}"):
        check_spec(spec)


def test_flags_are_parameters_without_a_value() -> None:
    spec: CodecSpec = replace(CODEC, offer_parameters={"annexb": ""})
    check_spec(spec)
