"""What clients wish of agents is read as far as it makes sense: they are strangers, and send anything."""

from typing import Any

import pytest
from glottis import ClientFunction, Wishes
from hypothesis import given
from hypothesis import strategies as st

ANY_SCHEMA = {"type": "object", "properties": {}}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "description", "x"]), inner),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("wished", "read"),
    [
        (None, Wishes()),
        ("be kind", Wishes()),
        ({"instructions": 7, "functions": "all", "answers": 0}, Wishes()),
        ({"instructions": "Be kind.", "answers": False}, Wishes("Be kind.", answers=False)),
        ({"voice": 7, "pace": "fast", "choice": "any", "maxTokens": True, "speaks": 0}, Wishes()),
        ({"pace": 9, "choice": {"name": 7}, "maxTokens": -1, "texts": None}, Wishes()),
        ({"speaks": False, "texts": False, "detection": False}, Wishes(speaks=False, texts=False, detection=False)),
        (
            {"voice": "marin", "pace": 1, "choice": "required", "maxTokens": 9},
            Wishes(voice="marin", pace=1.0, choice="required", max_tokens=9),
        ),
        ({"choice": {"name": "now"}}, Wishes(chosen="now")),
        (
            {
                "functions": [
                    7,
                    {},
                    {"name": ""},
                    {"name": "a\nb"},
                    {"name": "x" * 65},
                    {"name": "now", "parameters": 7},
                ]
            },
            Wishes(functions=(ClientFunction("now", "", ANY_SCHEMA),)),
        ),
    ],
)
def test_what_cannot_be_used_is_not_wished(wished: Any, read: Wishes) -> None:
    assert Wishes.of({"wishes": wished}) == read


def test_functions_are_not_many() -> None:
    assert len(Wishes.of({"wishes": {"functions": [{"name": "now"}] * 1000}}).functions) == 64


@given(
    st.fixed_dictionaries(
        dict.fromkeys(("instructions", "functions", "answers", "voice", "pace", "choice", "maxTokens"), VALUES)
    )
)
def test_wishes_are_whatever_was_sent(wished: dict[str, Any]) -> None:
    assert isinstance(Wishes.of({"wishes": wished}).instructions, str)
