"""What must hold of a specification that a plugin registers; dataclasses do not check it."""

import inspect
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from glottis.contracts.audio import FRAMES_MS
from glottis.contracts.auth import AuthSchemeSpec
from glottis.contracts.call import AgentSpec
from glottis.contracts.checks import (
    check_callable,
    check_config_type,
    check_instance,
    check_integer,
    check_name,
    check_texts,
)
from glottis.contracts.codec import CodecSpec
from glottis.contracts.components import ComponentSpec
from glottis.contracts.ice_servers import IceServerProviderSpec
from glottis.contracts.pages import PagesSpec
from glottis.contracts.routes import RoutesSpec
from glottis.plugins.extensions import ExtensionSpec
from glottis.plugins.pages import check_pages
from glottis.plugins.routes import check_folder, check_routes_name

T = TypeVar("T")

Spec = (
    AgentSpec
    | CodecSpec
    | AuthSchemeSpec
    | IceServerProviderSpec
    | PagesSpec
    | RoutesSpec
    | ComponentSpec[Any]
    | ExtensionSpec
)

MAX_STATIC_PAYLOAD_TYPE: Final = 95
"""RFC 3551 §6."""
_TOKEN: Final = re.compile(r"[!#$%&'*+.0-9A-Z^_`a-z{|}~-]+")
"""RFC 8866 §9."""


def name_of(spec: Spec) -> str:
    """The name by which configuration speaks of it; codecs go by their RTP encoding name."""
    return spec.encoding_name if isinstance(spec, CodecSpec) else spec.name


def check_spec(spec: Spec) -> None:
    """Raises ``ValueError`` for the first field that cannot be used."""
    check_name("name", name_of(spec))
    match spec:
        case CodecSpec():
            _check_codec(spec)
        case PagesSpec():
            check_pages(spec.pages)
        case ExtensionSpec():
            pass  # made here, of what was checked
        case _:
            check_callable("create", spec.create)
            if inspect.iscoroutinefunction(spec.create):
                name = getattr(spec.create, "__name__", "it")
                raise ValueError(
                    f"create: expected a function that makes it, got an async one: lambda settings: {name}"
                )
            check_config_type("config_type", spec.config_type)
    if isinstance(spec, AgentSpec):
        check_integer("sample_rate", spec.sample_rate, 1)
        if spec.frame_ms not in FRAMES_MS:
            raise ValueError(f"frame_ms: expected one of {', '.join(map(str, FRAMES_MS))}, got {spec.frame_ms!r}")
    if isinstance(spec, RoutesSpec):
        check_routes_name(spec.name)
        check_folder(spec.folder)
        if spec.refuse is not None:
            check_callable("refuse", spec.refuse)
    if isinstance(spec, ComponentSpec):
        _check_component(spec)


def _check_codec(spec: CodecSpec) -> None:
    if not _TOKEN.fullmatch(spec.encoding_name):
        raise ValueError("encoding_name: expected a token, as SDP has them: no blanks, no slash")
    check_integer("clock_rate", spec.clock_rate, 1)
    check_integer("channels", spec.channels, 1)
    if spec.static_payload_type is not None:
        check_integer("static_payload_type", spec.static_payload_type, 0, MAX_STATIC_PAYLOAD_TYPE)
    for rate in _choices("sample_rates", spec.sample_rates):
        check_integer("sample_rates", rate, 1)
    for duration in _choices("frame_durations_ms", spec.frame_durations_ms):
        check_instance("frame_durations_ms", duration, int | float)
        if not 0 < duration < math.inf:
            raise ValueError(f"frame_durations_ms: expected milliseconds above 0, got {duration!r}")
    _check_bitrates(spec.default_bitrates)
    check_parameters("offer_parameters", spec.offer_parameters)


def _check_bitrates(bitrates: Mapping[int, int]) -> None:
    check_instance("default_bitrates", bitrates, Mapping)
    for numbers in bitrates.items():
        for number in numbers:
            check_integer("default_bitrates", number, 1)


def _check_component(spec: ComponentSpec[Any]) -> None:
    if not isinstance(spec.kind, type):
        raise ValueError(f"kind: expected a class, a Protocol as a rule, got {spec.kind!r}")
    keys = msgspec.structs.fields(spec.config_type) if spec.config_type is not None else ()
    if any(key.encode_name == "name" for key in keys):
        raise ValueError('config_type: has the key "name", by which settings choose the component; rename it')


def _choices(what: str, value: Sequence[T]) -> Sequence[T]:
    check_instance(what, value, Sequence)
    if not value:
        raise ValueError(f"{what}: expected at least one")
    return value


def check_parameters(what: str, value: object) -> Mapping[str, str]:
    """What an ``a=fmtp`` line can say (RFC 8866 §6.15, RFC 4855 §3); raises ``ValueError``."""
    parameters = check_texts(what, value)
    for name, text in parameters.items():
        if not name or not f"{name}{text}".isprintable() or ";" in f"{name}{text}" or "=" in name:
            raise ValueError(f"{what}: expected parameters of one line without semicolons, got {name!r}: {text!r}")
    return parameters
