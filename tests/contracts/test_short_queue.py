import sys
from collections import deque

from glottis.contracts.short_queue import ShortQueue


def test_the_oldest_item_comes_first_and_an_empty_queue_costs_little() -> None:
    queue: ShortQueue[int] = ShortQueue()
    assert sys.getsizeof(queue) < sys.getsizeof(deque()) / 5
    queue.extend([1, 2])
    queue.append(3)
    assert [queue.popleft(), queue.popleft(), queue.popleft()] == [1, 2, 3]
    assert not queue


def test_beyond_its_limit_the_oldest_leaves() -> None:
    queue: ShortQueue[int] = ShortQueue()
    assert [queue.push(item, 2) for item in (1, 2, 3)] == [False, False, True]
    assert queue == [2, 3]
