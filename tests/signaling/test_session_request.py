import contextlib
import pathlib
from typing import Any

import msgspec
import pytest
from glottis.contracts.errors import Malformed
from glottis.contracts.info import AudioPreference
from glottis.contracts.json_object import JsonObject
from glottis.signaling.errors import Rejected
from glottis.signaling.session_request import SessionRequest, parse_session_request_untrusted
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples

TORTURE = pathlib.Path(__file__).parents[1] / "vectors" / "json"


def parse(**fields: Any) -> SessionRequest:
    return parse_session_request_untrusted(msgspec.json.encode(fields))


def test_flat_audio_config_is_read() -> None:
    request = parse(
        businessId=12345,
        campaignId="campaign-abc",
        transportType="WebRTC",
        audioConfig={"inputCodec": "OPUS", "outputCodec": "PCMU", "sampleRate": 16000},
    )
    assert request == SessionRequest(
        campaign_id="campaign-abc",
        business_id=12345,
        transport="WebRTC",
        input=AudioPreference("OPUS", 16000),
        output=AudioPreference("PCMU", 16000),
    )


def test_nested_audio_config_is_read_with_everything_else() -> None:
    audio = {"codec": "OPUS", "sampleRate": 48000, "bitsPerSample": 16, "channels": 1}
    request = parse(
        businessId="b-1",
        campaignId="campaign-abc",
        clientIdentifier="user-1",
        dynamicVariables={"K": "v", "nested": {"Input": [1, None]}},
        metadata={"k": 1},
        audioConfig={"input": audio, "output": {**audio, "frameDurationMs": 30}},
    )
    assert request.input == AudioPreference("OPUS", 48000, 16, 1)
    assert request.output == AudioPreference("OPUS", 48000, 16, 1, 30)
    assert (request.business_id, request.client_identifier) == ("b-1", "user-1")
    assert request.dynamic_variables == {"K": "v", "nested": {"Input": [1, None]}}
    assert request.metadata == {"k": 1}
    assert isinstance(request.metadata, JsonObject)
    assert isinstance(request.dynamic_variables, JsonObject)


def test_campaign_alone_is_enough() -> None:
    assert parse(campaignId="x") == SessionRequest("x")


def test_keys_and_words_match_in_any_case_and_nulls_count_as_absent() -> None:
    request = parse(
        CAMPAIGNID="x",
        transporttype="websocket",
        BusinessID=None,
        AudioConfig={"INPUT": {"Codec": "pcm", "samplerate": None}, "outputcodec": "g722"},
    )
    assert request.transport == "WebSocket"
    assert (request.input.codec, request.input.sample_rate) == ("PCM", 16000)
    assert (request.output.codec, request.output.sample_rate) == ("G722", 16000)


def test_what_stands_beside_a_direction_is_its_default() -> None:
    request = parse(campaignId="x", audioConfig={"sampleRate": 24000, "output": {"sampleRate": 16000}})
    assert (request.input.sample_rate, request.output.sample_rate) == (24000, 16000)


def test_unknown_keys_are_ignored() -> None:
    assert parse(campaignId="x", futureField={"a": 1}).campaign_id == "x"


@pytest.mark.parametrize(
    ("fields", "code", "names"),
    [
        ({}, "MISSING_FIELD", "campaignId"),
        ({"campaignId": None}, "MISSING_FIELD", "campaignId"),
        ({"campaignId": 5}, "INVALID_FIELD", "campaignId"),
        ({"campaignId": "x" * 257}, "INVALID_FIELD", "campaignId"),
        ({"businessId": 1.5}, "INVALID_FIELD", "businessId"),
        ({"businessId": True}, "INVALID_FIELD", "businessId"),
        ({"businessId": [1]}, "INVALID_FIELD", "businessId"),
        ({"clientIdentifier": 7}, "INVALID_FIELD", "clientIdentifier"),
        ({"clientIdentifier": "a/b"}, "INVALID_FIELD", "clientIdentifier"),
        ({"clientIdentifier": "a\\b"}, "INVALID_FIELD", "clientIdentifier"),
        ({"clientIdentifier": "a" * 257}, "INVALID_FIELD", "clientIdentifier"),
        ({"metadata": "x"}, "INVALID_FIELD", "metadata"),
        ({"dynamicVariables": []}, "INVALID_FIELD", "dynamicVariables"),
        ({"transportType": "SIP"}, "UNSUPPORTED_TRANSPORT", "transportType"),
        ({"transportType": 1}, "INVALID_FIELD", "transportType"),
        ({"iceTransportPolicy": "none"}, "INVALID_FIELD", "iceTransportPolicy"),
        ({"audioConfig": 1}, "INVALID_FIELD", "audioConfig"),
        ({"audioConfig": {"input": "OPUS"}}, "INVALID_FIELD", "audioConfig.input"),
        ({"audioConfig": {"inputCodec": "MP3"}}, "UNSUPPORTED_CODEC", "audioConfig.inputCodec"),
        ({"audioConfig": {"output": {"codec": "MP3"}}}, "UNSUPPORTED_CODEC", "audioConfig.output.codec"),
        ({"audioConfig": {"inputCodec": "PCM"}}, "UNSUPPORTED_CODEC", "audioConfig.inputCodec"),
        ({"audioConfig": {"sampleRate": 0}}, "INVALID_FIELD", "sampleRate"),
        ({"audioConfig": {"sampleRate": -8000}}, "INVALID_FIELD", "sampleRate"),
        ({"audioConfig": {"sampleRate": 1e300}}, "INVALID_FIELD", "sampleRate"),
        ({"audioConfig": {"sampleRate": 16000.5}}, "INVALID_FIELD", "sampleRate"),
        ({"audioConfig": {"sampleRate": "48000"}}, "INVALID_FIELD", "sampleRate"),
        ({"audioConfig": {"sampleRate": True}}, "INVALID_FIELD", "sampleRate"),
        ({"audioConfig": {"input": {"channels": 6}}}, "INVALID_FIELD", "audioConfig.input.channels"),
        ({"audioConfig": {"input": {"frameDurationMs": 0}}}, "INVALID_FIELD", "audioConfig.input.frameDurationMs"),
        ({"audioConfig": {"input": {}, "INPUT": {}}}, "DUPLICATE_FIELD", "audioConfig.input"),
        ({"campaignid": "y"}, "DUPLICATE_FIELD", "campaignId"),
    ],
)
def test_error_names_the_field(fields: dict[str, Any], code: str, names: str) -> None:
    campaign = {"campaignId": "x"} if code != "MISSING_FIELD" else {}
    with pytest.raises(Rejected) as raised:
        parse_session_request_untrusted(msgspec.json.encode({**campaign, **fields}))
    assert raised.value.code == code
    assert names in str(raised.value)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"transportType": "SIP"}, "transportType: expected one of WebRTC, WebSocket"),
        ({"audioConfig": {"inputCodec": "MP3"}}, "audioConfig.inputCodec: expected one of OPUS, PCMU, PCMA, G722"),
        (
            {"audioConfig": {"output": {"codec": "PCM"}}},
            "audioConfig.output.codec: expected one of OPUS, PCMU, PCMA, G722",
        ),
        (
            {"transportType": "WebSocket", "audioConfig": {"inputCodec": "MP3"}},
            "audioConfig.inputCodec: expected one of OPUS, PCMU, PCMA, G722, PCM",
        ),
        ({"audioConfig": {"sampleRate": 1}}, "audioConfig.sampleRate: expected a number from 8000 to 48000"),
        (
            {"audioConfig": {"input": {"sampleRate": 1}, "sampleRate": 8000}},
            "audioConfig.input.sampleRate: expected a number from 8000 to 48000",
        ),
    ],
)
def test_error_says_what_to_change_where_it_was_said(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Rejected) as raised:
        parse_session_request_untrusted(msgspec.json.encode({"campaignId": "x", **fields}))
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"null", b"[]", b'"x"', b"{", b"\xff", b"[" * 60_000, b'{"a":' * 10_000, b'{"campaignId":"\\ud800"}'],
)
def test_what_is_no_json_object_is_malformed(body: bytes) -> None:
    with pytest.raises(Rejected) as raised:
        parse_session_request_untrusted(body)
    assert raised.value.code == "MALFORMED_JSON"


@pytest.mark.parametrize("path", sorted(TORTURE.iterdir()), ids=lambda path: path.stem)
def test_torture_is_survived(path: pathlib.Path) -> None:
    data = path.read_bytes()
    with pytest.raises(Malformed):
        parse_session_request_untrusted(data)
    with pytest.raises(Malformed) if path.stem.startswith("n_") else contextlib.suppress(Malformed):
        parse_session_request_untrusted(
            b'{"campaignId":"x","metadata":{"a":' + data + b'},"audioConfig":' + data + b"}"
        )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(
    ["campaignId", "businessId", "clientIdentifier", "transportType", "metadata", "audioConfig", "CAMPAIGNID", "x"]
)
audio_names = st.sampled_from(["input", "output", "inputCodec", "codec", "sampleRate", "channels", "frameDurationMs"])
audio_values = st.dictionaries(audio_names, json_values | st.dictionaries(audio_names, json_values, max_size=3))


@pytest.mark.slow
@settings(max_examples=examples(150), derandomize=True)
@given(st.binary() | st.dictionaries(names, json_values | audio_values).map(msgspec.json.encode))
def test_any_body_is_read_or_malformed(body: bytes) -> None:
    """Fuzz: parse_session_request_untrusted raises Malformed and nothing else; what it returns can be sent on.

    And so does all of glottis.signaling.json_input, which it calls.
    """
    try:
        request = parse_session_request_untrusted(body)
    except Malformed:
        return
    msgspec.json.encode(request)
