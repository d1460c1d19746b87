"""Session descriptions for clients that are told no candidates afterwards."""

from collections.abc import Sequence


def with_candidates(sdp: str, candidates: Sequence[str]) -> str:
    """With these lines at the end of its first section, whose transport all others share (RFC 8839 §5.1, RFC 9143)."""
    before, first, after = sdp.partition("\r\nm=")
    section, second, rest = after.partition("\r\nm=")
    if not second:
        return f"{sdp}{''.join(candidates)}"
    return f"{before}{first}{section}\r\n{''.join(candidates)}m={rest}"
