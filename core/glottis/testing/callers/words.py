"""Word error rate: (substitutions + deletions + insertions) / words of the reference, as NIST's sclite counts them."""

import re


def words_of(text: str) -> list[str]:
    """Without punctuation, in small letters."""
    return re.findall(r"[\w']+", text.lower())


def word_error_rate(reference: str, understood: str) -> float:
    """By the fewest edits (V. Levenshtein, 1966); of an empty reference, 0 or 1."""
    wanted, found = words_of(reference), words_of(understood)
    if not wanted:
        return float(bool(found))
    costs = list(range(len(found) + 1))
    for row, word in enumerate(wanted, 1):
        diagonal, costs[0] = costs[0], row
        for column, other in enumerate(found, 1):
            edited = min(costs[column] + 1, costs[column - 1] + 1, diagonal + (word != other))
            diagonal, costs[column] = costs[column], edited
    return costs[-1] / len(wanted)
