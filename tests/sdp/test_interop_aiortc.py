"""aiortc as an oracle: what glottis writes is read there with the same meaning, and the other way round."""

import asyncio
from collections.abc import Callable

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc import sdp as oracle
from glottis.sdp import (
    AudioCapability,
    Negotiation,
    SendingTrack,
    TransportParameters,
    accept_answer_untrusted,
    make_offer,
    parse_session_description_untrusted,
)

pytestmark = pytest.mark.interop

Answer = Callable[..., Negotiation]
FIXTURES = [
    f"{browser}_{page}_offer.sdp"
    for browser in ("chromium156", "firefox153")
    for page in ("seed", "seed_nodc", "widget")
]


@pytest.mark.parametrize("name", FIXTURES)
def test_aiortc_reads_in_our_answer_what_we_mean(
    name: str, vector: Callable[[str], str], answer: Answer, transport: TransportParameters
) -> None:
    negotiation = answer(vector(name))
    read = oracle.SessionDescription.parse(str(negotiation.description))
    assert read.group[0].items == [media.rtp.muxId for media in read.media]
    for media in read.media:
        assert media.ice is not None
        assert media.dtls is not None
        assert (media.ice.usernameFragment, media.ice.password) == (transport.ice_ufrag, transport.ice_pwd)
        assert [(one.algorithm, one.value) for one in media.dtls.fingerprints] == [
            ("sha-256", transport.fingerprints[0].value.upper())
        ]
        assert media.dtls.role == "client"
    tagged = read.media[0]
    assert [(one.ip, one.port, one.priority) for one in tagged.ice_candidates] == [
        (one.address, one.port, one.priority) for one in transport.candidates
    ]
    assert (tagged.direction, tagged.rtcp_mux, tagged.msid) == ("sendrecv", True, "agent voice")
    assert negotiation.audio is not None
    noise = negotiation.audio.comfort_noise
    meant = (*negotiation.audio.formats, *([noise] if noise else []), *negotiation.audio.events)
    assert [(one.payloadType, one.name, one.clockRate, one.channels) for one in tagged.rtp.codecs] == [
        (one.payload_type, *one.rtpmap[1:]) for one in meant
    ]
    assert tagged.rtp.codecs[0].parameters == {"minptime": 10, "useinbandfec": 1}


def test_aiortc_accepts_our_answer(answer: Answer) -> None:
    async def offer_and_accept() -> None:
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.addTransceiver("audio")
        peer.createDataChannel("chat")
        try:
            await peer.setLocalDescription(await peer.createOffer())
            negotiation = answer(peer.localDescription.sdp)
            assert negotiation.remote.end_of_candidates
            assert negotiation.data is not None
            await peer.setRemoteDescription(RTCSessionDescription(str(negotiation.description), "answer"))
            assert peer.signalingState == "stable"
        finally:
            await peer.close()

    asyncio.run(offer_and_accept())


def test_aiortc_answers_our_offer(
    transport: TransportParameters, capabilities: tuple[AudioCapability, ...], sending: SendingTrack
) -> None:
    async def answered(text: str) -> str:
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        try:
            await peer.setRemoteDescription(RTCSessionDescription(text, "offer"))
            await peer.setLocalDescription(await peer.createAnswer())
            return str(peer.localDescription.sdp)
        finally:
            await peer.close()

    offer = make_offer(
        session_id=1, session_version=1, transport=transport, audio=capabilities, sending=sending, max_message_size=1000
    )
    answer = parse_session_description_untrusted(asyncio.run(answered(str(offer))))
    negotiation = accept_answer_untrusted(offer, answer)
    assert negotiation.audio is not None
    assert {one.encoding_name for one in negotiation.audio.formats} == {"opus", "G722", "PCMU", "PCMA"}
    assert negotiation.data is not None
    assert negotiation.remote.candidates
