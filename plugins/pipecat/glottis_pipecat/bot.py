"""What the agent does and says, told as RTVI tells of its bots."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from glottis import Saying

from glottis_pipecat.messages import Voice


@dataclass(slots=True)
class _Segment:
    """A piece of the transcript, which begins there in it."""

    id: int
    start: int
    text: str


class Bot:
    """Each method tells what the client is to be told."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._is_thinking = self._is_speaking = False
        self._transcript = ""
        self._segments: list[_Segment] = []
        self._last_segment = 0

    def thinking(self) -> Iterator[Saying]:
        """About an answer."""
        if not self._is_thinking:
            self._is_thinking = True
            yield self._voice.say("bot-llm-started")

    def speaking(self) -> Iterator[Saying]:
        """Its first sound is sent."""
        yield from self._thought()
        if not self._is_speaking:
            self._is_speaking = True
            yield self._voice.say("bot-tts-started")
            yield self._voice.say("bot-started-speaking")

    def listening(self) -> Iterator[Saying]:
        """It has finished, or was interrupted."""
        yield from self._thought()
        if self._is_speaking:
            self._is_speaking = False
            yield self._voice.say("bot-stopped-speaking")
            yield self._voice.say("bot-tts-stopped")

    def transcript(self, text: str, *, is_final: bool, is_interrupted: bool) -> Iterator[Saying]:
        """All that it has said so far; at last what of it was heard."""
        before = self._transcript
        if not is_interrupted and text.startswith(before) and text != before:
            yield from self._add(text)
        if is_final:
            heard = len(text)
            for segment in self._segments:
                yield self._voice.say("bot-output", _progress(segment, heard))
            yield self._voice.say("bot-transcription", {"text": text})
            self._transcript = ""
            self._segments = []

    def written(self, text: str) -> Iterator[Saying]:
        """A text, which is an answer by itself."""
        is_own = not self._is_thinking
        yield from self.thinking()
        yield self._voice.say("bot-llm-text", {"text": text})
        yield self._voice.say("bot-output", {**_output(self._new_segment(), text), "will_be_spoken": False})
        if is_own or not self._is_speaking:
            yield from self._thought()

    def _thought(self) -> Iterator[Saying]:
        if self._is_thinking:
            self._is_thinking = False
            yield self._voice.say("bot-llm-stopped")

    def _add(self, text: str) -> Iterator[Saying]:
        start = len(self._transcript)
        segment = _Segment(self._new_segment(), start, text[start:])
        self._segments.append(segment)
        self._transcript = text
        yield self._voice.say("bot-llm-text", {"text": segment.text})
        yield self._voice.say("bot-output", _progress(segment, start) | {"spoken_status": "new"})
        yield self._voice.say("bot-tts-text", {"text": segment.text})

    def _new_segment(self) -> int:
        self._last_segment += 1
        return self._last_segment


def _output(segment_id: int, text: str) -> dict[str, Any]:
    return {"text": text, "aggregated_by": "sentence", "segment_id": segment_id}


def _progress(segment: _Segment, heard: int) -> dict[str, Any]:
    """Of a segment, when so many characters of the transcript are heard."""
    own = max(0, heard - segment.start)
    said, rest = segment.text[:own], segment.text[own:]
    return {
        **_output(segment.id, segment.text),
        "will_be_spoken": True,
        "spoken_status": "in-progress" if rest else "completed",
        "spoken_progress": {"accumulated_text": said, "remaining_text": rest},
    }
