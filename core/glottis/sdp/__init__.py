"""Session descriptions: RFC 8866 text and values, ICE candidates, and offer/answer as JSEP (RFC 9429) does it.

An offer is parsed, answered and written like this::

    offer = parse_session_description_untrusted(text)
    negotiation = accept_offer_untrusted(offer, session_id=…, session_version=…, transport=…, audio=…, sending=…)
    str(negotiation.description)
"""

from glottis.sdp.answer import accept_offer_untrusted
from glottis.sdp.attributes import Direction, Fingerprint, RtpMap, Setup
from glottis.sdp.audio import NegotiatedAudio, SendingTrack
from glottis.sdp.candidate import (
    DISCARD_PORT,
    Candidate,
    candidate_foundation,
    candidate_priority,
    parse_candidate_untrusted,
)
from glottis.sdp.codecs import AudioCapability, NegotiatedFormat
from glottis.sdp.data import SCTP_PORT, NegotiatedData
from glottis.sdp.description import Attribute, MediaDescription, Origin, SessionDescription
from glottis.sdp.errors import AnswerRefused, DescriptionRefused, NoCommonCodec, OfferRefused
from glottis.sdp.feedback import NACK
from glottis.sdp.negotiation import Negotiation
from glottis.sdp.offer import AUDIO_MID, accept_answer_untrusted, make_offer
from glottis.sdp.parser import parse_session_description_untrusted
from glottis.sdp.transport import RemoteParameters, TransportParameters

__all__ = [
    "AUDIO_MID",
    "DISCARD_PORT",
    "NACK",
    "SCTP_PORT",
    "AnswerRefused",
    "Attribute",
    "AudioCapability",
    "Candidate",
    "DescriptionRefused",
    "Direction",
    "Fingerprint",
    "MediaDescription",
    "NegotiatedAudio",
    "NegotiatedData",
    "NegotiatedFormat",
    "Negotiation",
    "NoCommonCodec",
    "OfferRefused",
    "Origin",
    "RemoteParameters",
    "RtpMap",
    "SendingTrack",
    "SessionDescription",
    "Setup",
    "TransportParameters",
    "accept_answer_untrusted",
    "accept_offer_untrusted",
    "candidate_foundation",
    "candidate_priority",
    "make_offer",
    "parse_candidate_untrusted",
    "parse_session_description_untrusted",
]
