"""What agents and codecs return is checked where they return it, and blamed on their plugin."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy
import pytest
from glottis import Agent, AgentSpec, CodecSpec, EncoderSettings, PluginError
from glottis.plugins import Plugin, create, load_plugins
from glottis.plugins.codecs import guarded_codec
from glottis.rtp.srtp import MAX_RTP_PAYLOAD

PLUGIN = Plugin("mine", "my-dist", "2.1")
PCMU: CodecSpec = load_plugins().codecs.find("PCMU").spec
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
            codec_of(b"", answer_parameters=lambda offered: {"mode": 20}),
            lambda codec: codec.answer_parameters({}),
            "codec PCMU: answer_parameters['mode']: expected str, got int",
        ),
    ],
    ids=["encoder", "decoder", "raises", "duration", "parameters"],
)
def test_whatever_else_a_codec_gives_is_checked(
    codec: CodecSpec, use: Callable[[CodecSpec], object], complaint: str
) -> None:
    with pytest.raises(PluginError) as blame:
        use(codec)
    assert str(blame.value).startswith(f"plugin mine (my-dist 2.1): {complaint}")


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
