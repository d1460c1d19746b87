"""Candidates of the gateway for clients that are told none after the answer: those come in it (RFC 8840 §4.4)."""

from collections.abc import Sequence
from typing import Final

import msgspec
import trio

from glottis.signaling.messages import TrickledCandidate

_END: Final = "a=end-of-candidates\r\n"


class Gathered(msgspec.Struct):
    """Those that have come since the offer."""

    found: list[str] = msgspec.field(default_factory=list)
    complete: trio.Event = msgspec.field(default_factory=trio.Event)

    def hear(self, candidate: TrickledCandidate) -> None:
        """One, or the end of them."""
        if candidate.candidate and not self.complete.is_set():
            self.found.append(candidate.candidate)
        else:
            self.complete.set()

    async def in_answer(self, sdp: str, seconds: float) -> str:
        """The answer with all that have come within so many seconds. With an end of candidates it has them already."""
        if _END in sdp:
            return sdp
        with trio.move_on_after(seconds):
            await self.complete.wait()
        return with_candidates(sdp, self.found)


def with_candidates(sdp: str, candidates: Sequence[str]) -> str:
    """With these, and no others to come, in the first section: all share its transport (RFC 8839 §5.1, RFC 9143)."""
    added = "".join(f"a={candidate}\r\n" for candidate in candidates) + _END
    before, first, after = sdp.partition("\r\nm=")
    section, second, rest = after.partition("\r\nm=")
    if not second:
        return f"{sdp}{added}"
    return f"{before}{first}{section}\r\n{added}m={rest}"
