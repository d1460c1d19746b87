"""A set of TSNs, kept as ranges: what is done with a run of them costs no more than with one."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class TsnRanges:
    """Disjoint ranges of unwrapped TSNs, ascending and not adjacent; first and last TSN belong to their range."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def __contains__(self, tsn: int) -> bool:
        index = bisect_left(self._lasts, tsn)
        return index < len(self._firsts) and self._firsts[index] <= tsn

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._firsts, self._lasts, strict=True)

    @property
    def highest(self) -> int:
        """The last TSN of the last range; there must be one."""
        return self._lasts[-1]

    def leading(self, count: int) -> list[tuple[int, int]]:
        """First and last TSN of the first ``count`` ranges."""
        return list(zip(self._firsts[:count], self._lasts[:count], strict=True))

    def add(self, first: int, last: int) -> list[tuple[int, int]]:
        """Take in a range that is not empty; the parts of it that were missing."""
        firsts, lasts = self._firsts, self._lasts
        begin = bisect_left(lasts, first - 1)  # the ranges from here …
        end = bisect_right(firsts, last + 1)  # … up to here overlap or adjoin the new one
        missing, reached = [], first
        for index in range(begin, end):
            if reached < firsts[index]:
                missing.append((reached, firsts[index] - 1))
            reached = lasts[index] + 1
        if reached <= last:
            missing.append((reached, last))
        if begin < end:
            first, last = min(first, firsts[begin]), max(last, lasts[end - 1])
        firsts[begin:end], lasts[begin:end] = [first], [last]
        return missing

    def end_of(self, tsn: int) -> int:
        """The last TSN of the range that ``tsn`` is in; if there is none, the TSN before."""
        index = bisect_left(self._lasts, tsn)
        return self._lasts[index] if index < len(self._firsts) and self._firsts[index] <= tsn else tsn - 1

    def drop_up_to(self, tsn: int) -> int:
        """Forget what is not above ``tsn``, and the range that begins with it or right after it.

        Says up to where all is there then: the end of that range, or ``tsn``.
        """
        count = bisect_right(self._firsts, tsn + 1)
        if not count:
            return tsn
        reached = max(tsn, self._lasts[count - 1])
        del self._firsts[:count], self._lasts[:count]
        return reached

    def cut_off(self, tsn: int) -> None:
        """Forget what is not above ``tsn``."""
        reached = self.drop_up_to(tsn)
        if reached > tsn:
            self.add(tsn + 1, reached)
