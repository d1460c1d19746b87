import itertools

import pytest
from glottis_skills.vocabulary import Vocabulary
from support.cost import OPERATIONS_PER_MS, operations

HUGE = ["".join(syllables) for syllables in itertools.product(("ba", "ke", "li", "mo", "nu", "ro", "sti"), repeat=4)]


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        ("liver", "deliver"),
        ("creadit", "credit"),
        ("brad", "bread"),
        ("parrking", "parking"),
        ("zebra", "zebra"),
        ("x" * 1000, "x" * 1000),
    ],
)
def test_a_misheard_word_is_the_one_that_it_is_most_like(heard: str, meant: str) -> None:
    assert Vocabulary(["deliver", "credit", "bread", "parking", "open", "walnut", *HUGE]).closest(heard) == meant


def test_one_is_found_among_thousands_before_a_caller_notices() -> None:
    """A caller may say many words that are all unknown, and a turn is looked at eight times."""
    vocabulary = Vocabulary(HUGE)
    heard = [word.replace("e", "x") for word in HUGE[::800]]

    def look() -> None:
        for word in heard * 8:
            vocabulary.closest(word)

    assert operations(look) < 30 * OPERATIONS_PER_MS
