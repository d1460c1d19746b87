import json
import random
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from glottis.calls.metadata import MAX_METADATA, MEMBER_OVERHEAD, Metadata
from support.cost import operations


def add(metadata: Metadata, **members: Any) -> bool:
    return metadata.add(encoded(members))


def encoded(members: Mapping[str, Any]) -> dict[str, bytes]:
    return {name: msgspec.json.encode(value) for name, value in members.items()}


def weight(metadata: Metadata) -> int:
    return sum(len(name) + len(value) + MEMBER_OVERHEAD for name, value in encoded(metadata.values()).items())


def test_members_are_added_and_replaced_in_order() -> None:
    metadata = Metadata({"a": 1, "b": [2]})
    assert add(metadata, b={"c": "ä"}, d=None)
    assert add(metadata, b=5)
    assert metadata.values() == {"a": 1, "b": 5, "d": None}
    assert list(metadata.values()) == ["a", "b", "d"]


def test_what_was_looked_at_stays_as_it_is() -> None:
    metadata = Metadata({"a": 1})
    before = metadata.values()
    add(metadata, a=2)
    assert metadata.has_changed
    assert metadata.values() == {"a": 2}
    assert before == {"a": 1}
    assert not metadata.has_changed
    assert metadata.values() is metadata.values()


def test_one_member_can_be_replaced_for_ever_whatever_it_grows_and_shrinks_to() -> None:
    metadata = Metadata({"other": "x" * 30_000})
    for index in range(1000):
        assert add(metadata, key="y" * (index * 37 % 30_000))
        assert not add(metadata, key="y" * 40_000)
    assert metadata.values()["key"] == "y" * (999 * 37 % 30_000)


def test_the_size_is_exact_whatever_comes() -> None:
    rng = random.Random(7)
    metadata = Metadata({"initial": ["x" * 1000], "ä": {"nested": [[]] * 10}})
    expected = dict(metadata.values())
    for _ in range(500):
        value: object = rng.choice([None, 1.5, "€" * rng.randrange(3000), [{"a": []}] * rng.randrange(500)])
        members = {f"key{rng.randrange(40)}": value, rng.choice(["initial", "more"]): rng.randrange(10**6)}
        size = sum(
            len(name.encode()) + len(text) + MEMBER_OVERHEAD for name, text in encoded(expected | members).items()
        )
        fits = size <= MAX_METADATA
        assert metadata.add(encoded(members)) is fits
        if fits:
            expected |= members
        if rng.random() < 0.1:
            assert metadata.values() == expected
    assert metadata.values() == expected


def test_tiny_members_are_bounded_in_number() -> None:
    metadata = Metadata({})
    taken = sum(add(metadata, **{str(index): 1}) for index in range(5000))
    assert 900 < taken < MAX_METADATA / MEMBER_OVERHEAD
    assert weight(metadata) <= MAX_METADATA


def test_metadata_that_was_too_large_from_the_beginning_may_shrink() -> None:
    metadata = Metadata({"a": "x" * MAX_METADATA, "b": "y"})
    assert not add(metadata, b="longer")
    assert add(metadata, b="z")
    assert add(metadata, a="")
    assert add(metadata, b="longer")


def test_what_an_addition_costs_does_not_depend_on_what_is_there() -> None:
    small, large = Metadata({}), Metadata({str(index): index for index in range(900)})
    for metadata in (small, large):
        add(metadata, first=1)  # what was there at first is weighed once
    assert operations(large.add, {"key": b"1"}) == operations(small.add, {"key": b"1"})


@pytest.mark.parametrize("text", [b"1e999", b"1" * 5000, b"[" * 100 + b"]" * 100])
def test_a_value_that_cannot_be_decoded_is_left_out(text: bytes) -> None:
    metadata = Metadata({"a": 1, "b": 2})
    assert metadata.add({"a": text, "c": b"3"})
    assert metadata.values() == {"b": 2, "c": 3}


def test_initial_metadata_may_hold_what_json_cannot_say() -> None:
    metadata = Metadata({"a": object})
    assert add(metadata, b=1)
    assert metadata.values() == {"a": object, "b": 1}
    assert json.dumps(sorted(metadata.values())) == '["a", "b"]'
