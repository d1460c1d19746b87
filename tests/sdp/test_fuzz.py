import random
import re

from glottis.contracts.errors import Malformed
from glottis.sdp import (
    AudioCapability,
    DescriptionRefused,
    SendingTrack,
    SessionDescription,
    TransportParameters,
    accept_answer_untrusted,
    accept_offer_untrusted,
    make_offer,
    parse_session_description_untrusted,
)

# Python refuses to read numbers of more than 4300 digits, with an error that must not escape.
TOKENS = [
    "9" * 4301,
    "",
    "0",
    "9",
    "-1",
    "65536",
    "4294967296",
    "BUNDLE",
    "audio",
    "UDP/DTLS/SCTP",
    "webrtc-datachannel",
    "٣",
    "a=x",
]


def mutated(text: str, others: list[str], rng: random.Random) -> str:
    """Lines dropped, repeated, swapped and taken from others; words of lines replaced."""
    lines = text.splitlines()
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(lines))
        match rng.randrange(4):
            case 0:
                del lines[at : at + rng.choice((1, 1, 5))]
            case 1:
                lines.insert(at, rng.choice(lines))
            case 2:
                lines.insert(at, rng.choice(rng.choice(others).splitlines() or ["a=x"]))
            case _:
                words = re.split(r"([ :=;/])", lines[at])
                words[rng.randrange(len(words))] = rng.choice(TOKENS)
                lines[at] = "".join(words)
        lines = lines or ["v=0"]
    return "".join(f"{line}\r\n" for line in lines)


def parsed(texts: list[str], count: int, seed: int) -> list[SessionDescription]:
    rng = random.Random(seed)
    descriptions = []
    for _ in range(count):
        try:
            descriptions.append(parse_session_description_untrusted(mutated(rng.choice(texts), texts, rng)))
        except Malformed:
            continue
    assert len(descriptions) > count / 5
    return descriptions


def test_fuzz_accept_offer_raises_nothing_but_malformed_and_refusals(
    corpus: list[str],
    transport: TransportParameters,
    capabilities: tuple[AudioCapability, ...],
    sending: SendingTrack,
) -> None:
    """Fuzz: accept_offer_untrusted raises Malformed or OfferRefused, or gives an answer that can be read.

    And so do select_sections_untrusted and read_remote_parameters_untrusted, which it calls.
    """
    answered = 0
    for offer in parsed(corpus, 1500, seed=3264):
        try:
            negotiation = accept_offer_untrusted(
                offer,
                session_id=1,
                session_version=1,
                transport=transport,
                audio=capabilities,
                sending=sending,
                max_message_size=1000,
            )
        except (Malformed, DescriptionRefused):
            continue
        answered += 1
        answer = negotiation.description
        assert parse_session_description_untrusted(str(answer)) == answer
        assert [media.media for media in answer.media] == [media.media for media in offer.media]
        assert sum("candidate" in str(media) for media in answer.media) == 1
    assert answered > 100


def test_fuzz_accept_answer_raises_nothing_but_malformed_and_refusals(
    transport: TransportParameters, capabilities: tuple[AudioCapability, ...], sending: SendingTrack
) -> None:
    """Fuzz: accept_answer_untrusted raises Malformed or AnswerRefused, or gives a negotiation with audio."""
    ours = {"session_id": 1, "session_version": 1, "transport": transport, "audio": capabilities, "sending": sending}
    offer = make_offer(**ours, max_message_size=1000)  # type: ignore[arg-type]
    answer = accept_offer_untrusted(offer, **ours, max_message_size=1000).description  # type: ignore[arg-type]
    accepted = 0
    for changed in parsed([str(answer), str(offer)], 800, seed=9429):
        try:
            accepted += accept_answer_untrusted(offer, changed).audio is not None
        except (Malformed, DescriptionRefused):
            continue
    assert accepted > 50
