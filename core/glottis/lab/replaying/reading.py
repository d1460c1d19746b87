"""What a file of a call says, checked: what comes in, step by step, and what has become of it."""

from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from glottis.calls.typed_messages import message_of
from glottis.contracts.call import BytesMessage, Message
from glottis.contracts.errors import Malformed
from glottis.lab.replaying.outcome import Outcome, Speaking, Wrote, figures_of
from glottis.peer.overheard import Agreement, read_agreement_untrusted
from glottis.wire.call_file import Entry, Kind, parse_call_file_untrusted


class Step(NamedTuple):
    """``at`` in seconds since the file's zero."""

    kind: Kind
    at: float
    content: bytes | Agreement | Message
    """A packet, or nothing; what ``NEGOTIATED`` has come to; a message of the caller."""


class Kept(NamedTuple):
    """A file."""

    campaign: str
    first: Agreement
    steps: list[Step]
    """In the order of their times: what came before the keys is told after them."""
    outcome: Outcome
    is_whole: bool
    """Whether the gateway has come to its end."""


class _About(Struct, frozen=True):
    campaign: str = ""
    version: str = ""


class _Written(Struct, frozen=True):
    text: str
    channel: str | None = None


class _Ended(Struct, frozen=True):
    reason: str = ""
    statistics: dict[str, dict[str, Any]] = {}


class _Reader:
    """Takes entries in the order of the file."""

    def __init__(self) -> None:
        self.about = _About()
        self.ended: _Ended | None = None
        self.steps: list[Step] = []
        self._speaking = Speaking()
        self._wrote: list[Wrote] = []
        self._events: list[Wrote] = []

    def take_untrusted(self, entry: Entry) -> None:
        match entry.kind:
            case Kind.ABOUT:
                self.about = _json_untrusted(entry, _About)
            case Kind.SAID:
                self._speaking.add(entry.at, _milliseconds_untrusted(entry) / 1000)
            case Kind.WROTE:
                self._wrote.append(Wrote(round(entry.at, 3), _text_untrusted(entry)))
            case Kind.EVENT:
                self._events.append(Wrote(round(entry.at, 3), _text_untrusted(entry)))
            case Kind.ENDED:
                self.ended = _json_untrusted(entry, _Ended)
            case Kind.DROPPED:
                pass  # then there are no statistics either
            case _:
                self.steps.append(Step(entry.kind, entry.at, _content_untrusted(entry)))

    def outcome(self, ended_at: float) -> Outcome:
        """As the gateway saw it."""
        ended = self.ended or _Ended()
        return Outcome(
            ended_at=round(ended_at, 3),
            reason=ended.reason,
            figures=figures_of(ended.statistics.get("inbound-rtp")) if ended.statistics else None,
            spoke=self._speaking.times(),
            wrote=tuple(self._wrote),
            events=tuple(self._events),
        )


def read_call_untrusted(data: bytes) -> Kept:
    """Raises ``Malformed`` for what is no file of a call, and for one without audio."""
    kept = parse_call_file_untrusted(data)
    reader = _Reader()
    for entry in kept.entries:
        reader.take_untrusted(entry)
    steps = sorted(reader.steps, key=lambda step: step.at)
    first = next((step.content for step in steps if isinstance(step.content, Agreement)), None)
    if first is None:
        raise Malformed("call file: it holds no audio: calls by WebRTC are kept")
    ended_at = max(entry.at for entry in kept.entries)
    is_whole = kept.is_whole and reader.ended is not None
    return Kept(reader.about.campaign, first, steps, reader.outcome(ended_at), is_whole)


def _content_untrusted(entry: Entry) -> bytes | Agreement | Message:
    match entry.kind:
        case Kind.NEGOTIATED:
            return read_agreement_untrusted(entry.content)
        case Kind.TEXT:
            written = _json_untrusted(entry, _Written)
            return message_of(written.text, written.channel)
        case Kind.BYTES:
            label, zero, data = entry.content.partition(b"\0")
            if not zero:
                raise Malformed(f"call file: bytes at {entry.at:.3f} s: expected a label before them")
            return BytesMessage(data, label.decode(errors="replace"))
    return entry.content


def _json_untrusted(entry: Entry, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(entry.content, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Malformed(f"call file: {entry.kind.name.lower()} at {entry.at:.3f} s: {error}") from None


def _text_untrusted(entry: Entry) -> str:
    try:
        return entry.content.decode()
    except UnicodeDecodeError:
        raise Malformed(f"call file: {entry.kind.name.lower()} at {entry.at:.3f} s: expected UTF-8") from None


def _milliseconds_untrusted(entry: Entry) -> int:
    if not (entry.content.isdigit() and len(entry.content) <= 6):
        raise Malformed(f"call file: said at {entry.at:.3f} s: expected milliseconds")
    return int(entry.content)
