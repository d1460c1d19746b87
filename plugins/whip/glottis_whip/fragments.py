"""Fragments of session descriptions: ICE credentials and candidates (RFC 8840 §9)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from glottis import Malformed

MEDIA_TYPE: Final = "application/trickle-ice-sdpfrag"
MAX_BYTES: Final = 32 * 1024
MAX_LINES: Final = 256
MAX_CANDIDATES: Final = 100
"""Of one fragment: more than a host has addresses."""
_END: Final = "a=end-of-candidates"
_ICE: Final = (
    "ice-ufrag",
    "ice-pwd",
    "ice-options",
    "ice-pacing",
    "ice-lite",
    "candidate",
    "end-of-candidates",
    "mid",
)
_KINDS: Final = ("audio", "video")
_RECEIVING: Final = ("a=recvonly", "a=inactive")


@dataclass(frozen=True, slots=True)
class Fragment:
    """The credentials of one generation, and candidates of it with the mids of their sections, None for the first."""

    ufrag: str = ""
    password: str = ""
    candidates: tuple[tuple[str | None, str], ...] = ()
    """Without ``a=``. An empty one stands for the end of them."""


def parse_fragment_untrusted(body: bytes) -> Fragment:
    """Read a fragment that a client has sent; raises ``Malformed``. Lines of other kinds are ignored."""
    ufrag = password = ""
    mid: str | None = None
    candidates: list[tuple[str | None, str]] = []
    if len(body) > MAX_BYTES or body.count(b"\n") > MAX_LINES:
        raise Malformed(f"the body: expected at most {MAX_BYTES} bytes, and {MAX_LINES} lines")
    try:
        lines = [line.strip() for line in body.decode().split("\n")]
    except UnicodeDecodeError:
        raise Malformed("the body: expected UTF-8") from None
    for line in lines:
        if line and line[1:2] != "=":
            raise Malformed("the body: expected lines of SDP, such as a=ice-ufrag:…")
        name, _, value = line.partition(":")
        match name:
            case "a=ice-ufrag":
                ufrag = value
            case "a=ice-pwd":
                password = value
            case "a=mid":
                mid = value
            case "a=candidate":
                candidates.append((mid, f"candidate:{value}"))
            case "a=end-of-candidates":
                candidates.append((mid, ""))
        if len(candidates) > MAX_CANDIDATES:
            raise Malformed(f"candidates: expected at most {MAX_CANDIDATES}")
    if bool(ufrag) is not bool(password):
        raise Malformed("a=ice-ufrag and a=ice-pwd: expected both or none")
    return Fragment(ufrag, password, tuple(candidates))


@dataclass(frozen=True, slots=True)
class Description:
    """A session description, of which nothing is read but what ICE has in it."""

    lines: tuple[str, ...]

    @classmethod
    def of(cls, sdp: str) -> "Description":
        """That one. Its lines end as RFC 8866 §9 has it, and not where ``splitlines`` sees ends, too."""
        return cls(tuple(text for line in sdp.split("\n") if (text := line.strip(" \t\r"))))

    def first(self, name: str) -> str:
        """The value of the first attribute of this name; empty if there is none."""
        prefix = f"a={name}:"
        return next((line.removeprefix(prefix) for line in self.lines if line.startswith(prefix)), "")

    @property
    def sent(self) -> tuple[list[str], list[str]]:
        """Kinds of the tracks that are sent, and the streams that they name: ``-`` is none (RFC 8830 §2)."""
        kinds, streams = [], []
        for section in self._sections():
            kind, port, *_ = [*section[0].removeprefix("m=").split(" "), ""]
            is_stopped = port == "0" and "a=bundle-only" not in section
            if kind in _KINDS and not is_stopped and not any(line in _RECEIVING for line in section):
                kinds.append(kind)
                streams += [line[len("a=msid:") :].partition(" ")[0] for line in section if line.startswith("a=msid:")]
        return kinds, [stream for stream in streams if stream != "-"]

    def _sections(self) -> Iterator[Sequence[str]]:
        starts = [index for index, line in enumerate(self.lines) if line.startswith("m=")]
        yield from (self.lines[start:end] for start, end in pairwise((*starts, len(self.lines))))

    def as_bundle(self) -> bytes:
        """The answer with the line that RFC 9725 §4.4.1 wants in each section beside ``a=rtcp-mux`` (RFC 8858 §3)."""
        lines: list[str] = []
        for line in self.lines:
            lines += [line, "a=rtcp-mux-only"] if line == "a=rtcp-mux" else [line]
        return _text(lines).encode()

    def restarted(self, fragment: Fragment) -> str:
        """The same offer with new credentials (RFC 8839 §4.4.1.1.1), and a version that says so (RFC 3264 §8)."""
        replaced = {"a=ice-ufrag:": fragment.ufrag, "a=ice-pwd:": fragment.password}
        lines = []
        for line in self.lines:
            name = line[: line.find(":") + 1]
            if name in replaced:
                lines.append(f"{name}{replaced[name]}")
            elif line.startswith("o="):
                lines.append(_next_version(line))
            elif line != _END and not line.startswith("a=candidate:"):
                lines.append(line)
        return _text(lines)

    def fragment(self) -> bytes:
        """What ICE has in the first section and before all sections, for a client that knows the rest."""
        lines: list[str] = []
        sections = 0
        for line in self.lines:
            sections += line.startswith("m=")
            if sections == 2:
                break
            if line.startswith("m=") or (line.startswith("a=") and line[2:].partition(":")[0] in _ICE):
                lines.append(line)
        return _text(lines).encode()


def _next_version(origin: str) -> str:
    fields = origin.split(" ")
    if len(fields) > 2 and len(fields[2]) < 20 and fields[2].isdecimal():  # of 64 bits, RFC 8866 §5.2
        fields[2] = str(int(fields[2]) + 1)
    return " ".join(fields)


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\r\n" for line in lines)
