from collections.abc import Callable
from pathlib import Path

import pytest
from glottis.sdp import (
    AudioCapability,
    Fingerprint,
    Negotiation,
    SendingTrack,
    TransportParameters,
    accept_offer_untrusted,
    parse_candidate_untrusted,
    parse_session_description_untrusted,
)

VECTORS = Path(__file__).parents[1] / "vectors" / "sdp"

OPUS_PARAMETERS = {"minptime": "10", "useinbandfec": "1"}

CAPABILITIES = (
    AudioCapability("opus", 48000, 2, None, lambda offered: OPUS_PARAMETERS, OPUS_PARAMETERS),
    AudioCapability("G722", 8000, static_payload_type=9),
    AudioCapability("PCMU", 8000, static_payload_type=0),
    AudioCapability("PCMA", 8000, static_payload_type=8),
)

TRANSPORT = TransportParameters(
    ice_ufrag="gl0ttis+",
    ice_pwd="aVeryGoodPasswordOf24/+A",
    fingerprints=(Fingerprint("sha-256", ":".join(["ab"] * 32)),),
    candidates=(
        parse_candidate_untrusted("candidate:1 1 udp 2130706431 192.0.2.10 40000 typ host"),
        parse_candidate_untrusted("candidate:2 1 udp 2130706175 2001:db8::10 40000 typ host"),
    ),
)

SENDING = SendingTrack(ssrc=0xFEEDBEEF, cname="glottis", stream_id="agent", track_id="voice")

ANSWERING = {
    "session_id": 7,
    "session_version": 1,
    "transport": TRANSPORT,
    "audio": CAPABILITIES,
    "sending": SENDING,
    "max_message_size": 262144,
}

Answer = Callable[..., Negotiation]


@pytest.fixture
def capabilities() -> tuple[AudioCapability, ...]:
    return CAPABILITIES


@pytest.fixture
def transport() -> TransportParameters:
    return TRANSPORT


@pytest.fixture
def sending() -> SendingTrack:
    return SENDING


@pytest.fixture
def vector() -> Callable[[str], str]:
    """The text of a file in tests/vectors/sdp, line ends as they are."""
    return lambda name: (VECTORS / name).read_bytes().decode()


@pytest.fixture
def corpus() -> list[str]:
    """Descriptions of browsers, phones and attackers."""
    paths = sorted([*VECTORS.glob("*.sdp"), *VECTORS.glob("corpus/*.sdp")])
    return [path.read_bytes().decode("utf-8", "replace") for path in paths]


@pytest.fixture
def answer() -> Answer:
    """Answers the text of an offer with the capabilities above; keyword arguments replace its own."""

    def accept(offer: str, **changes: object) -> Negotiation:
        return accept_offer_untrusted(parse_session_description_untrusted(offer), **{**ANSWERING, **changes})  # type: ignore[arg-type]

    return accept
