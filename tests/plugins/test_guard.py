"""What agents and codecs return is checked where they return it, and blamed on their plugin."""

import traceback
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NoReturn, Protocol

import numpy
import pytest
import trio
from glottis import (
    AdjustableEncoder,
    Agent,
    AgentSpec,
    AudioFrame,
    CodecSpec,
    ComponentSpec,
    Encoder,
    EncoderSettings,
    IceServerProviderSpec,
    Malformed,
    PluginError,
    VoiceActivityDetector,
)
from glottis.plugins import Plugin, create, guarded
from glottis.plugins.codecs import guarded_codec
from glottis.plugins.guard import guarded_async
from glottis.rtp.srtp import MAX_RTP_PAYLOAD
from support.errors import ERRORS
from support.installed import installed_plugins

PLUGIN = Plugin("mine", "my-dist", "2.1")
PCMU: CodecSpec = installed_plugins().codecs.find("PCMU").spec
SETTINGS = EncoderSettings(16000)
CALL: Any = object()


class Coder:
    """Encoder and decoder in one; every method returns the same."""

    def __init__(self, result: object) -> None:
        self.result: Any = result

    def encode(self, pcm: bytes) -> bytes:
        return self.result  # type: ignore[no-any-return]

    def decode(self, payload: bytes) -> bytes:
        return self.result  # type: ignore[no-any-return]

    def decode_fec(self, next_payload: bytes, sample_count: int) -> bytes:
        return self.result  # type: ignore[no-any-return]

    def conceal(self, sample_count: int) -> bytes:
        return self.result  # type: ignore[no-any-return]

    def set_expected_loss(self, fraction: float) -> None: ...
    def set_bitrate(self, bits_per_second: int) -> None: ...


def codec_of(result: object, **others: Any) -> CodecSpec:
    spec = replace(PCMU, create_encoder=lambda _: Coder(result), create_decoder=lambda _: Coder(result))
    return guarded_codec(PLUGIN, replace(spec, **others))


METHODS: dict[str, Callable[[CodecSpec], bytes]] = {
    "encode": lambda codec: codec.create_encoder(SETTINGS).encode(b""),
    "decode": lambda codec: codec.create_decoder(16000).decode(b""),
    "decode_fec": lambda codec: codec.create_decoder(16000).decode_fec(b"", 1),
    "conceal": lambda codec: codec.create_decoder(16000).conceal(1),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("result", [b"ab", bytearray(b"ab"), memoryview(b"ab"), numpy.frombuffer(b"ab", "u1")])
def test_codecs_may_return_any_buffer(method: str, result: object) -> None:
    returned = METHODS[method](codec_of(result))
    assert (type(returned), returned) == (bytes, b"ab")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("result", "found"), [(None, "NoneType"), ("ab", "str"), ([1, 2], "list")])
def test_what_is_no_buffer_is_blamed_on_the_codec(method: str, result: object, found: str) -> None:
    with pytest.raises(PluginError) as blame:
        METHODS[method](codec_of(result))
    assert str(blame.value) == (
        f"plugin mine (my-dist 2.1): codec PCMU: {method}: expected bytes or another buffer, got {found}"
    )


@pytest.mark.parametrize("method", ["decode", "decode_fec", "conceal"])
@pytest.mark.parametrize("result", [b"abc", numpy.zeros(320, numpy.float32)])
def test_what_are_no_samples_is_blamed_on_the_codec(method: str, result: object) -> None:
    with pytest.raises(PluginError, match=rf"^plugin mine .*codec PCMU: {method}.* samples"):
        METHODS[method](codec_of(result))


def test_a_payload_that_fits_no_packet_is_blamed_on_the_codec() -> None:
    assert len(METHODS["encode"](codec_of(bytes(MAX_RTP_PAYLOAD)))) == MAX_RTP_PAYLOAD
    with pytest.raises(PluginError, match="encode: a packet holds 1344 bytes, not 1345"):
        METHODS["encode"](codec_of(bytes(MAX_RTP_PAYLOAD + 1)))


@pytest.mark.parametrize(
    ("codec", "use", "complaint"),
    [
        (
            codec_of(b"", create_encoder=lambda settings: None),
            METHODS["encode"],
            "create_encoder of PCMU returned NoneType, which has no encode, set_expected_loss, set_bitrate",
        ),
        (
            codec_of(b"", create_decoder=lambda rate: object()),
            METHODS["decode"],
            "create_decoder of PCMU returned object, which has no decode, decode_fec, conceal",
        ),
        (
            codec_of(b"", create_decoder=lambda rate: 1 // 0),
            METHODS["decode"],
            "create_decoder of PCMU raised ZeroDivisionError",
        ),
        (
            codec_of(b"", payload_duration_untrusted=lambda payload: len(payload) / 2),
            lambda codec: codec.payload_duration_untrusted(b"ab"),
            "codec PCMU: payload_duration_untrusted: expected int, got float",
        ),
        (
            codec_of(b"", has_redundancy=lambda payload: 1),
            lambda codec: codec.has_redundancy(b"ab"),
            "codec PCMU: has_redundancy: expected bool, got int",
        ),
        (
            codec_of(b"", redundancy_reach=lambda payload: 1.0),
            lambda codec: codec.redundancy_reach(b"ab"),
            "codec PCMU: redundancy_reach: expected int, got float",
        ),
        (
            codec_of(b"", answer_parameters=lambda offered: {"mode": 20}),
            lambda codec: codec.answer_parameters({}),
            "codec PCMU: answer_parameters['mode']: expected str, got int",
        ),
    ],
    ids=["encoder", "decoder", "raises", "duration", "redundancy", "reach", "parameters"],
)
def test_whatever_else_a_codec_gives_is_checked(
    codec: CodecSpec, use: Callable[[CodecSpec], object], complaint: str
) -> None:
    with pytest.raises(PluginError) as blame:
        use(codec)
    assert str(blame.value).startswith(f"plugin mine (my-dist 2.1): {complaint}")


@pytest.mark.parametrize(("told", "used"), [(-1, 0), (160, 160), (10**9, 3200)])
def test_no_more_is_waited_for_than_two_packets_can_last(told: int, used: int) -> None:
    assert codec_of(b"", redundancy_reach=lambda payload: told).redundancy_reach(b"ab") == used


class Failing:
    """An encoder and decoder all of whose methods raise."""

    def __init__(self, make: Callable[[], BaseException]) -> None:
        self._make = make

    def fail(self, *_: object) -> Any:
        raise self._make()

    encode = set_expected_loss = set_bitrate = set_complexity = decode = decode_fec = conceal = fail


def failing_codec(make: Callable[[], BaseException], **others: Any) -> CodecSpec:
    failing = Failing(make)
    spec = replace(PCMU, create_encoder=lambda _: failing, create_decoder=lambda _: failing)
    return guarded_codec(PLUGIN, replace(spec, **others))


def adjustable(encoder: Encoder) -> AdjustableEncoder:
    assert isinstance(encoder, AdjustableEncoder)
    return encoder


def test_an_encoder_has_a_complexity_behind_the_guard_only_if_it_has_one_itself() -> None:
    assert not isinstance(codec_of(b"").create_encoder(SETTINGS), AdjustableEncoder)
    assert isinstance(failing_codec(ValueError).create_encoder(SETTINGS), AdjustableEncoder)


FUNCTIONS: dict[str, Callable[[CodecSpec], object]] = {
    **METHODS,
    "set_expected_loss": lambda codec: codec.create_encoder(SETTINGS).set_expected_loss(0.1),
    "set_bitrate": lambda codec: codec.create_encoder(SETTINGS).set_bitrate(6000),
    "set_complexity": lambda codec: adjustable(codec.create_encoder(SETTINGS)).set_complexity(0),
}
SPECIFIED: dict[str, Callable[[CodecSpec], object]] = {
    "create_encoder": lambda codec: codec.create_encoder(SETTINGS),
    "create_decoder": lambda codec: codec.create_decoder(16000),
    "payload_duration_untrusted": lambda codec: codec.payload_duration_untrusted(b""),
    "has_redundancy": lambda codec: codec.has_redundancy(b""),
    "redundancy_reach": lambda codec: codec.redundancy_reach(b""),
    "answer_parameters": lambda codec: codec.answer_parameters({}),
}


@pytest.mark.parametrize("make", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("name", [*FUNCTIONS, *SPECIFIED])
def test_whatever_a_codec_raises_is_blamed_on_it(name: str, make: Callable[[], BaseException]) -> None:
    use = (FUNCTIONS | SPECIFIED)[name]
    codec = failing_codec(make, **({name: Failing(make).fail} if name in SPECIFIED else {}))
    with pytest.raises(PluginError) as blame:
        use(codec)
    assert type(blame.value.__cause__) is type(make())
    message = str(blame.value)
    assert message.startswith("plugin mine (my-dist 2.1): ")
    assert name in message
    assert f" raised {type(make()).__name__}: " in message
    assert len(message) < 1000


@pytest.mark.parametrize("name", ["decode", "decode_fec", "payload_duration_untrusted"])
def test_a_payload_that_is_none_is_not_the_codecs_fault(name: str) -> None:
    codec = failing_codec(Malformed, payload_duration_untrusted=Failing(Malformed).fail)
    with pytest.raises(Malformed):
        (FUNCTIONS | SPECIFIED)[name](codec)


@pytest.mark.parametrize("name", ["decode", "payload_duration_untrusted"])
def test_what_is_always_raised_for_bad_payloads_keeps_none_of_them(name: str) -> None:
    malformed = Malformed("none")
    codec = failing_codec(lambda: malformed, payload_duration_untrusted=Failing(lambda: malformed).fail)
    lengths = []
    for _ in range(3):
        with pytest.raises(Malformed):
            (FUNCTIONS | SPECIFIED)[name](codec)
        lengths.append(len(list(traceback.walk_tb(malformed.__traceback__))))
    assert lengths == [lengths[0]] * 3


def test_more_samples_than_any_packet_has_are_blamed_on_the_codec() -> None:
    assert METHODS["decode"](codec_of(bytes(2 * 16000 * 2 // 5)))
    for method in ("decode", "decode_fec", "conceal"):
        with pytest.raises(PluginError, match=f"{method} returned 12802 bytes, more than any packet has samples for"):
            METHODS[method](codec_of(bytes(2 * 16000 * 2 // 5 + 2)))


class Trap:
    """Has a method only for those who do not ask."""

    @property
    def encode(self) -> object:
        raise SystemExit("trapped")

    get_ice_servers = encode

    def __getattr__(self, name: str) -> object:
        raise SystemExit("trapped")


class Gauge(Protocol):
    unit: str


def test_a_product_that_raises_when_it_is_looked_at_is_blamed() -> None:
    codec = codec_of(b"", create_encoder=lambda _: Trap())
    with pytest.raises(PluginError, match="what create_encoder of PCMU returned raised SystemExit: trapped"):
        codec.create_encoder(SETTINGS)
    with pytest.raises(PluginError, match="what create of p returned raised SystemExit: trapped"):
        create(PLUGIN, IceServerProviderSpec("p", lambda _: Trap()), None)  # type: ignore[arg-type,return-value]
    with pytest.raises(PluginError, match="what create of p returned raised SystemExit: trapped"):
        create(PLUGIN, ComponentSpec(Gauge, "p", lambda _: Trap()), None)


@pytest.mark.parametrize("make", ERRORS.values(), ids=ERRORS)
async def test_whatever_a_call_raises_is_blamed_on_the_plugin(make: Callable[[], BaseException]) -> None:
    def fail() -> NoReturn:
        raise make()

    async def fail_later() -> NoReturn:
        await trio.lowlevel.checkpoint()
        raise make()

    with pytest.raises(PluginError, match=r"^plugin mine \(my-dist 2.1\): hook raised "):
        guarded(PLUGIN, "hook", fail)
    for function in (fail, fail_later):
        with pytest.raises(PluginError, match=r"^plugin mine \(my-dist 2.1\): method raised "):
            await guarded_async(PLUGIN, "method", function)


async def test_cancellation_passes_through_a_call() -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await guarded_async(PLUGIN, "method", trio.sleep_forever)
    assert scope.cancelled_caught


def agent_of(agent: object) -> Agent:
    made: Agent = create(PLUGIN, AgentSpec("a", lambda settings: agent), None)  # type: ignore[arg-type,return-value]
    return made


async def test_an_agent_may_be_whatever_returns_an_awaitable() -> None:
    seen = []

    async def agent(call: object) -> None:
        seen.append(call)

    await agent_of(agent)(CALL)
    await agent_of(lambda call: agent(call))(CALL)
    assert seen == [CALL, CALL]


async def test_an_agent_that_is_not_async_is_blamed() -> None:
    async def generator(call: object) -> Any:
        yield call

    for agent, found in ((lambda call: None, "NoneType"), (generator, "async_generator")):
        with pytest.raises(
            PluginError, match=rf"^plugin mine .*agent a returned {found}; it must be an async function"
        ):
            await agent_of(agent)(CALL)


@pytest.mark.parametrize(
    ("detect", "message"),
    [
        (lambda frame: None, "plugin mine .*: detect: expected a probability from 0 to 1, got NoneType"),
        (lambda frame: 1 / 0, "plugin mine .*: detect raised ZeroDivisionError"),
    ],
)
def test_a_detector_of_speech_that_is_wrong_is_named(detect: Callable[[object], object], message: str) -> None:
    spec = ComponentSpec(VoiceActivityDetector, "p", lambda _: SimpleNamespace(detect=detect))
    detector = create(PLUGIN, spec, None)
    with pytest.raises(PluginError, match=message):
        detector.detect(AudioFrame(bytes(640), 16000))
