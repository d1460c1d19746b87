"""The measure itself: it is deterministic, and sees what C code does with what is large."""

import json
import re
import sys
from collections.abc import Callable

import pytest
from support.cost import operations

DIGITS = re.compile("[0-9]+")


def test_the_same_call_costs_the_same() -> None:
    assert operations(sorted_twice, [3, 1, 2]) == operations(sorted_twice, [3, 1, 2])


def test_what_is_raised_goes_through_and_tracers_return() -> None:
    before = sys.gettrace(), sys.getprofile()
    with pytest.raises(ZeroDivisionError):
        operations(lambda: 1 // 0)
    assert (sys.gettrace(), sys.getprofile()) == before


class Queue:
    def __init__(self, items: list[int]) -> None:
        self.items = items
        self.table = dict.fromkeys(items, 0)


def sorted_twice(items: list[int]) -> None:
    sorted(items)
    items.sort()


def searched(queue: Queue) -> bool:
    return -1 in queue.items


def summed(queue: Queue) -> int:
    return sum(queue.table.values())


def indexed(queue: Queue) -> int:
    return queue.items.index(len(queue.items) - 1)


def sliced(queue: Queue) -> list[int]:
    return queue.items[1:]


def spread(queue: Queue) -> tuple[int, ...]:
    return (0, *queue.items)


def joined(queue: Queue) -> list[int]:
    return queue.items + queue.items


def looped(queue: Queue) -> int:
    return len([item for item in queue.items if item])


@pytest.mark.parametrize("walk", [searched, summed, indexed, sliced, spread, joined, looped])
def test_what_walks_over_a_list_costs_by_its_length(walk: Callable[[Queue], object]) -> None:
    few, many = (operations(walk, Queue([*range(length)])) for length in (1_000, 10_000))
    assert many - few >= 9_000


@pytest.mark.parametrize(
    "read", [lambda text: DIGITS.fullmatch(text), lambda text: int(text), lambda text: float(text)]
)
def test_what_reads_text_costs_by_its_length(read: Callable[[str], object]) -> None:
    assert operations(read, "1" * 2_000) - operations(read, "1" * 1_000) >= 1_000


def load(text: str) -> object:
    return json.loads(text)


def test_json_costs_by_its_values() -> None:
    assert operations(load, f"[{'1,' * 2_000}1]") - operations(load, f"[{'1,' * 1_000}1]") >= 3_000


def look_up(queue: Queue) -> bool:
    return -1 in queue.table


def take_head(data: bytes) -> bytes:
    return data[:4]


def test_what_walks_over_nothing_costs_the_same_however_much_there_is() -> None:
    assert operations(look_up, Queue([*range(10)])) == operations(look_up, Queue([*range(10_000)]))
    assert operations(take_head, bytes(10)) == operations(take_head, bytes(100_000))
