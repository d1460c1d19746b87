"""What was agreed on of the audio, as the streams take it."""

from collections.abc import Mapping, Sequence

from glottis.contracts.codec import CodecSpec
from glottis.peer.packet_times import number_of
from glottis.rtp import EventFormat, Feedback
from glottis.sdp import NACK, NegotiatedAudio, NegotiatedFormat


def feedback_of(audio: NegotiatedAudio) -> Feedback:
    """What RTCP may say."""
    return Feedback(
        nack=audio.has_feedback(NACK),
        transport=audio.extensions.transport_sequence is not None,
        receiver_rtt=audio.receiver_rtt,
        reduced_size=audio.rtcp_rsize,
    )


def event_format(events: Sequence[NegotiatedFormat], clock_rate: int) -> EventFormat | None:
    """The events at the clock of the codec that is sent, else those that there are (CONTRACT T20)."""
    formats = [EventFormat(one.payload_type, one.clock_rate) for one in events]
    return next((one for one in formats if one.clock_rate == clock_rate), formats[-1] if formats else None)


def takes_fec(codec: CodecSpec, told: Mapping[str, str]) -> bool:
    """Codecs that say ``useinbandfec`` send FEC to who says so too (RFC 7587 §6.1)."""
    return "useinbandfec" not in codec.offer_parameters or number_of(told.get("useinbandfec")) == 1
