"""What is said to nobody's skill: sentences about other things, other languages, two voices, noise."""

import random
from array import array
from typing import Final

from benchmarks.conversation.requests import Request
from benchmarks.conversation.voices import RATE, uttered, voice_of

ASKED_BACK: Final = r"^(?:I do not know|I have found nothing|Do you mean|$)"
"""The right answer to all of it, or none."""
SENTENCES: Final = (
    "The weather in London was awful last week.",
    "My dog does not like the new neighbours.",
    "Who won the football match on Saturday?",
    "Can you sing a song for me?",
    "I think that we should paint the kitchen green.",
    "Colourless green ideas sleep furiously.",
    "What is the capital of Australia?",
    "Play some music by the Beatles.",
    "How old is the president of France?",
    "Tell me a joke about elephants.",
    "It was the best of times, it was the worst of times.",
    "Turn on the light in the living room.",
    "How do I get to the railway station?",
    "Please transfer some money to my sister.",
    "Is there any news about the election?",
    "The quick brown fox jumps over the lazy dog.",
    "He has never been to America before.",
    "What colour is your favourite shirt?",
    "I have lost my umbrella on the bus.",
    "Book a flight to Madrid for the two of us.",
    "Why is the sky blue in the morning?",
    "We had a lovely holiday in Scotland.",
    "Do you think that it will rain?",
    "The children are playing in the garden.",
    "Send an email to my teacher.",
    "What do cats eat when they are hungry?",
    "She bought three tickets for the concert.",
    "How tall is the highest mountain in Africa?",
)
FOREIGN: Final = (
    ("de", "Wo ist bitte der nächste Bahnhof?"),
    ("de", "Ich hätte gern ein Glas Wasser."),
    ("fr", "Je voudrais une chambre pour ce soir."),
    ("fr", "Quelle heure est-il maintenant?"),
    ("es", "¿Dónde está la biblioteca?"),
    ("es", "Quiero hablar con mi hermano."),
    ("it", "Vorrei prenotare un tavolo."),
    ("it", "Come si chiama questa strada?"),
)
_PAIRS: Final = (
    ("What time is it?", "The children are playing in the garden."),
    ("How much is twelve times seven?", "Which bread do you have?"),
    ("I have lost my umbrella.", "We had a lovely holiday."),
    ("Set a timer for five minutes.", "How do you spell necessary?"),
)
_NOISE_SECONDS: Final = (0.4, 1.0, 2.5)


def calls(first: int = 0) -> list[list[tuple[Request, bytes]]]:
    """Each in a call of its own, so that nothing follows from anything; of two voices only where both say nothing."""
    said = [(text, uttered(text, voice_of(first + at))) for at, text in enumerate(SENTENCES)]
    said += [(text, uttered(text, ("espeak-ng", "-s", "150", "-v", language))) for language, text in FOREIGN]
    said += [(" + ".join(pair), _mixed(*pair, first + at)) for at, pair in enumerate(_PAIRS)]
    said += [(f"noise of {seconds} s", _noise(seconds)) for seconds in _NOISE_SECONDS]
    return [[(Request(text, ASKED_BACK), pcm)] for text, pcm in said]


def _mixed(one: str, other: str, number: int) -> bytes:
    some, others = array("h", uttered(one, voice_of(number))), array("h", uttered(other, voice_of(number + 1)))
    for at, sample in enumerate(others[: len(some)]):
        some[at] = (some[at] + sample) // 2
    return some.tobytes()


def _noise(seconds: float) -> bytes:
    chance = random.Random(1)
    return array("h", (round(chance.gauss(0, 3000)) for _ in range(round(seconds * RATE)))).tobytes()
