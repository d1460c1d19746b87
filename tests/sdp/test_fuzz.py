import random

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
from support.examples import examples
from support.mutation import mutated


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

    And so do select_sections_untrusted, read_remote_parameters_untrusted, sections_untrusted, bundle_groups_untrusted,
    read_untrusted, read_all_untrusted, negotiated_data_untrusted, described_formats_untrusted,
    answered_red_untrusted and offered_names_untrusted, which it calls.
    """
    answered, count = 0, examples(1500)
    for offer in parsed(corpus, count, seed=3264):
        try:
            negotiation = accept_offer_untrusted(
                offer,
                session_id=1,
                session_version=1,
                transport=transport,
                audio=capabilities,
                sending=sending,
                max_message_size=1000,
                red="on",
            )
        except (Malformed, DescriptionRefused):
            continue
        answered += 1
        answer = negotiation.description
        assert parse_session_description_untrusted(str(answer)) == answer
        assert [media.media for media in answer.media] == [media.media for media in offer.media]
        assert sum("candidate" in str(media) for media in answer.media) == 1
    assert answered > count / 15


def test_fuzz_accept_answer_raises_nothing_but_malformed_and_refusals(
    transport: TransportParameters, capabilities: tuple[AudioCapability, ...], sending: SendingTrack
) -> None:
    """Fuzz: accept_answer_untrusted raises Malformed or AnswerRefused, or gives a negotiation with audio.

    And so does negotiated_audio_untrusted, which it calls.
    """
    ours = {"session_id": 1, "session_version": 1, "transport": transport, "audio": capabilities, "sending": sending}
    offer = make_offer(**ours, max_message_size=1000)  # type: ignore[arg-type]
    answer = accept_offer_untrusted(offer, **ours, max_message_size=1000).description  # type: ignore[arg-type]
    accepted, count = 0, examples(800)
    for changed in parsed([str(answer), str(offer)], count, seed=9429):
        try:
            accepted += accept_answer_untrusted(offer, changed).audio is not None
        except (Malformed, DescriptionRefused):
            continue
    assert accepted > count / 16
