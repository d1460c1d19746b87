"""What the agent says, told as responses: at most one is going on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from glottis import Saying

from glottis_openai_calls.asides import text_part, written
from glottis_openai_calls.events import Events
from glottis_openai_calls.items import Items, message

_TURN_DETECTED: Final = "turn_detected"
_WRITTEN: Final = ("text",)
_AT_ITS_LIMIT: Final = "max_output_tokens"
CANCELLED: Final = "client_cancelled"


@dataclass(slots=True)
class _Response:
    id: str
    item_id: str = ""
    """Empty until there is something to be heard, or read."""
    before: str | None = None
    transcript: str = ""
    has_begun: bool = False
    """Whether the agent has shown that it is at it."""
    is_sounding: bool = False
    is_written: bool = False
    is_cancelled: bool = False
    modalities: Sequence[str] = ("audio",)
    metadata: Mapping[str, str] | None = None


class Responses:
    """Each method tells what the client is to be told."""

    def __init__(self, events: Events, items: Items) -> None:
        self._events = events
        self._items = items
        self._now: _Response | None = None
        self.modalities: Sequence[str] = ("audio",)
        """Of those to come."""
        self._conversation_id = events.new_id("conv")
        self._said_before = ""
        """Of what the agent says now: it is told as a response already, for a function was called behind it."""

    @property
    def is_active(self) -> bool:
        """Whether one is going on."""
        return self._now is not None

    @property
    def item_id(self) -> str:
        """Of what is being said."""
        return self._now.item_id if self._now is not None else ""

    @property
    def id(self) -> str:
        """Of the one that is going on."""
        return self._now.id if self._now is not None else ""

    def begin(
        self, modalities: Sequence[str] | None = None, metadata: Mapping[str, str] | None = None
    ) -> Iterator[Saying]:
        """One is wanted, or it shows that there is one."""
        if self._now is None:
            self._now = _Response(self._events.new_id("resp"), metadata=metadata)
            self._now.modalities = modalities or self.modalities
            yield self._events.make("response.created", response=self._document("in_progress", []))

    def cancel(self) -> bool:
        """The client takes back that it wants it; false if there is none, or it has done so before."""
        if self._now is None or self._now.is_cancelled:
            return False
        self._now.is_cancelled = True
        return True

    def give_up(self) -> Iterator[Saying]:
        """One that the agent has not begun is over when it is cancelled: nothing else would end it."""
        if self._now is not None and self._now.is_cancelled and not self._now.has_begun:
            yield from self._finish(is_whole=False)

    # What the agent does

    def thinking(self) -> Iterator[Saying]:
        """About an answer; what was said before is said."""
        if self._now is not None and self._now.transcript:
            yield from self._finish(is_whole=True)
        yield from self.begin()
        assert self._now is not None
        self._now.has_begun = True

    def speaking(self) -> Iterator[Saying]:
        """The first sound of it is sent, unless it is written."""
        if self._now is None or not self._now.is_written:
            yield from self._open()
        assert self._now is not None
        if not self._now.is_sounding and not self._now.is_written:
            self._now.is_sounding = True
            yield self._events.make("output_audio_buffer.started", response_id=self._now.id)

    def listening(self) -> Iterator[Saying]:
        """The agent has finished, or given up; with words begun it may only pause, until it says what was heard."""
        if self._now is not None and self._now.has_begun and not self._now.transcript:
            yield from self._finish(is_whole=not self._now.is_cancelled)

    def transcript(self, told: Mapping[str, Any]) -> Iterator[Saying]:
        """All that it has said so far; at last what of it was heard."""
        text: str = told["text"]
        is_final, is_interrupted = told.get("final") is not False, told.get("interrupted") is True
        before = self._said_before
        if is_final:
            self._said_before = ""
        if before and before.startswith(text):  # of the rest nothing was heard
            if is_final and self._now is not None:
                yield from self._finish(is_whole=not is_interrupted)
            return
        text = text.removeprefix(before).lstrip() if before else text
        yield from self._open(is_written=told.get("written") is True)
        response = self._now
        assert response is not None
        if not is_interrupted:
            before = response.transcript
            if delta := text.removeprefix(before) if text.startswith(before) else "":
                kind = "response.output_text.delta" if response.is_written else "response.output_audio_transcript.delta"
                yield self._of_part(kind, delta=delta)
        response.transcript = text
        if is_final:
            yield from self._finish(is_whole=not is_interrupted, is_cut=told.get("cut") is True)
            self._items.name(response.item_id, told.get("item"))

    def written(self, text: str) -> Iterator[Saying]:
        """A text, which is an answer by itself."""
        if self._now is not None and self._now.item_id:  # beside what is being said
            yield from self._items.whole(written(self._events.new_id("item"), text))
            return
        yield from self.begin()
        item_id, response = self._events.new_id("item"), self._now
        assert response is not None
        response.item_id, response.before, response.modalities = item_id, self._items.last, _WRITTEN
        yield self._of_output("response.output_item.added", item=message(item_id, "assistant", None, "in_progress"))
        yield from self._items.added(message(item_id, "assistant", None, "in_progress"))
        yield from text_part(self._events, text, response_id=response.id, output_index=0, item_id=item_id)
        yield from self._done(written(item_id, text), "completed", None)

    def calls(self, name: str, call_id: str, arguments: str) -> Iterator[Saying]:
        """A function of the client's, whose output the agent waits for."""
        if self._now is not None and self._now.item_id:
            self._said_before = f"{self._said_before} {self._now.transcript}".strip()
            yield from self._finish(is_whole=True)
        yield from self.begin()
        response = self._now
        assert response is not None
        item = {"id": self._events.new_id("item"), "object": "realtime.item", "type": "function_call", "name": name,
                "call_id": call_id, "arguments": "", "status": "in_progress"}  # fmt: skip
        response.item_id, response.before = item["id"], self._items.last
        yield self._of_output("response.output_item.added", item=item)
        yield from self._items.added(item)
        ids = {"response_id": response.id, "item_id": item["id"], "output_index": 0, "call_id": call_id}
        kind = "response.function_call_arguments"
        yield self._events.make(f"{kind}.delta", delta=arguments, **ids)
        yield self._events.make(f"{kind}.done", arguments=arguments, name=name, **ids)
        yield from self._done({**item, "arguments": arguments, "status": "completed"}, "completed", None)

    # Its parts

    def _open(self, *, is_written: bool = False) -> Iterator[Saying]:
        """There is something to be heard, or to be read."""
        yield from self.begin()
        response = self._now
        assert response is not None
        response.has_begun = True
        if not response.item_id:
            response.item_id, response.before = self._events.new_id("item"), self._items.last
            item = message(response.item_id, "assistant", None, "in_progress")
            yield self._of_output("response.output_item.added", item=item)
            yield from self._items.added(item)
            response.is_written = is_written
            response.modalities = _WRITTEN if is_written else response.modalities
            part = {"type": "text", "text": ""} if is_written else {"type": "audio", "transcript": ""}
            yield self._of_part("response.content_part.added", part=part)

    def _finish(self, *, is_whole: bool, is_cut: bool = False) -> Iterator[Saying]:
        response = self._now
        assert response is not None
        reason = None if is_whole else CANCELLED if response.is_cancelled else _TURN_DETECTED
        status = "completed" if is_whole else "cancelled"
        if is_whole and is_cut:
            status, reason = "incomplete", _AT_ITS_LIMIT
        if not response.item_id:
            yield from self._done(None, status, reason)
            return
        text, item_status = response.transcript, "completed" if status == "completed" else "incomplete"
        if response.is_written:
            yield self._of_part("response.output_text.done", text=text)
            yield self._of_part("response.content_part.done", part={"type": "text", "text": text})
            item = written(response.item_id, text, item_status)
        else:
            yield self._of_part("response.output_audio.done")
            yield self._of_part("response.output_audio_transcript.done", transcript=text)
            yield self._of_part("response.content_part.done", part={"type": "audio", "transcript": text})
            content = {"type": "output_audio", "transcript": text}
            item = message(response.item_id, "assistant", content, item_status)
        yield from self._done(item, status, reason)
        if response.is_sounding:
            kind = "output_audio_buffer.stopped" if is_whole else "output_audio_buffer.cleared"
            yield self._events.make(kind, response_id=response.id)

    def _done(self, item: dict[str, Any] | None, status: str, reason: str | None) -> Iterator[Saying]:
        response = self._now
        assert response is not None
        if item is not None:
            yield self._of_output("response.output_item.done", item=item)
            yield from self._items.done(item, response.before)
        document = self._document(status, [] if item is None else [item])
        if reason is not None:
            document["status_details"] = {"type": status, "reason": reason}
        self._now = None
        yield self._events.make("response.done", response=document)

    def _of_output(self, kind: str, **members: Any) -> Saying:
        assert self._now is not None
        return self._events.make(kind, response_id=self._now.id, output_index=0, **members)

    def _of_part(self, kind: str, **members: Any) -> Saying:
        assert self._now is not None
        return self._of_output(kind, item_id=self._now.item_id, content_index=0, **members)

    def _document(self, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
        response = self._now
        assert response is not None
        return {
            "object": "realtime.response",
            "id": response.id,
            "conversation_id": self._conversation_id,
            "status": status,
            "output": output,
            "output_modalities": response.modalities,
            **({"metadata": response.metadata} if response.metadata is not None else {}),
        }
