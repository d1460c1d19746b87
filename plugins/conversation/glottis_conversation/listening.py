"""The caller's voice: what is said becomes text, and that somebody speaks is told at once."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import trio
from glottis import Call, VoiceActivityDetector

from glottis_conversation.chain import Chain, NoneWorks, Patience
from glottis_conversation.doubt import Again
from glottis_conversation.kinds import SpeechToText, Transcript
from glottis_conversation.recorder import TAIL_SECONDS, OrRecorder, Recorder
from glottis_conversation.sentences import whole_characters
from glottis_conversation.settings import ConversationConfig
from glottis_conversation.tape import Tape
from glottis_conversation.telling import CallerState

MAX_WAITING: Final = 8
"""Turns that were heard, and wait to be understood; then those after them wait in ``call.turns``."""
MAX_CHARACTERS: Final = 10_000
"""Of one turn: who understands more does not stop by itself."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the caller has said, or written. The text may be empty: it was a noise."""

    text: str
    ended_at: float = 0.0
    """When silence had ended the turn, in trio's time."""
    is_spoken: bool = False
    is_failure: bool = False
    """Whether nobody could understand it."""
    is_wanted: bool = False
    """Whether it is no word, but the client's wish for an answer."""
    is_notice: bool = False
    """Whether it is no word of the caller, but is to be said to the caller."""
    item: str = ""
    """Of what the client has committed, its name for it."""
    wishes: Mapping[str, Any] = field(default_factory=dict)
    """The client's for the answer to this, beside those that it has for all."""
    again: Again | None = None
    """See ``Transcript.again``."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """A turn, in its pieces; with a name if the client has ended it."""

    tapes: Sequence[Tape]
    item: str = ""


class Listener:
    """``run`` is for a task. ``caller_is`` is told of each turn as it begins and ends, ``spoke`` when a caller really
    speaks, ``insists`` when that goes on.

    ``partly`` is told of partial transcripts.

    ``said`` gets every turn, even if there was no word in it. While ``is_pushed`` the client says what one is.
    """

    def __init__(
        self,
        call: Call,
        config: ConversationConfig,
        chain: Chain[SpeechToText],
        *,
        caller_is: Callable[[CallerState], None],
        spoke: Callable[[], None],
        insists: Callable[[], None],
        partly: Callable[[str], None],
        said: Callable[[Said], Awaitable[None]],
        is_pushed: Callable[[], bool],
    ) -> None:
        self._call = call
        self._config = config
        self._chain = chain
        self._caller_is = caller_is
        self._spoke = spoke
        self._insists = insists
        self._partly = partly
        self._said = said
        self._is_pushed = is_pushed
        self._recorder = Recorder(config.max_turn_seconds)
        self._send, self._receive = trio.open_memory_channel[_Heard](MAX_WAITING)
        self._pending = 0
        self._fell_quiet = trio.Event()

    @property
    def is_hearing(self) -> bool:
        """Whether something was said, or is, that ``said`` will be told of."""
        return self._pending > 0

    async def wait_quiet(self) -> None:
        """Until the caller says nothing, and all that was said is understood."""
        while self.is_hearing:
            await self._fell_quiet.wait()

    async def run(self, detector: VoiceActivityDetector) -> None:
        """Hear turns while those before them are understood."""
        watched = OrRecorder(detector, self._recorder, self._is_pushed)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._understand_all)
            async for turn in self._call.turns(watched, self._config.turns):
                self._caller_is("speaking")
                tape = await self._new_tape()
                steps = deque([(self._config.interrupt_ms, self._spoke), (self._config.insist_ms, self._insists)])
                async for frame in turn.audio:
                    if tape.is_full:
                        tape.end()
                        tape = await self._new_tape()
                    tape.add(frame)
                    while steps and turn.spoken_seconds * 1000 >= steps[0][0]:
                        steps.popleft()[1]()
                self._caller_is("silent")
                tape.end()

    def clear(self) -> None:
        """The client says that nothing was said."""
        self._recorder.clear()

    def commit(self, item: str, nursery: trio.Nursery) -> bool:
        """The client says that something was, and what it calls that; false where it has no say in that."""
        if self._is_pushed():
            self._pending += 1
            nursery.start_soon(self._commit, item)
        return self._is_pushed()

    async def _commit(self, item: str) -> None:
        await trio.sleep(TAIL_SECONDS)
        await self._send.send(_Heard(self._recorder.take(), item))

    async def _new_tape(self) -> Tape:
        tape = Tape(self._config.max_turn_seconds)
        self._pending += 1
        await self._send.send(_Heard([tape]))
        return tape

    async def _understand_all(self) -> None:
        async for heard in self._receive:
            pieces = [await self._understand(tape, heard.item) for tape in heard.tapes]
            said = pieces[0] if len(pieces) == 1 else _joined(pieces, heard.item)
            self._pending -= 1
            self._fell_quiet.set()
            self._fell_quiet = trio.Event()
            await self._said(said)

    async def _understand(self, tape: Tape, item: str) -> Said:
        patience = Patience(self._config.patience, has_begun=False)
        text = _Text(self._partly if not item else lambda _: None)
        ended_at = 0.0

        async def notice_end() -> None:
            nonlocal ended_at
            await tape.ended.wait()
            ended_at = trio.current_time()
            patience.begin()

        def begin(part: SpeechToText) -> AsyncIterator[Transcript]:
            text.clear()
            return part.transcribe(tape.frames())

        is_failure = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(notice_end)
            try:
                await self._chain.run(begin, text.take, patience, can_repeat=True)
            except NoneWorks:
                is_failure = True
            await tape.ended.wait()
        if is_failure:
            return Said("", ended_at, is_spoken=True, is_failure=True, item=item)
        return Said(text.whole, ended_at, is_spoken=True, item=item, again=text.again)


def _joined(pieces: Sequence[Said], item: str) -> Said:
    text = " ".join(each.text for each in pieces if each.text)
    is_failure = any(each.is_failure for each in pieces)
    return Said(text, trio.current_time(), is_spoken=True, is_failure=is_failure, item=item)


class _Text:
    """The transcripts of one turn."""

    def __init__(self, partly: Callable[[str], None]) -> None:
        self._partly = partly
        self._final: list[str] = []
        self._partial = ""
        self._again: Again | None = None

    def clear(self) -> None:
        """Somebody begins again."""
        self._final, self._partial = [], ""

    async def take(self, transcript: Transcript) -> None:
        """One more. Raises ``ValueError`` for what is none."""
        if not isinstance(transcript, Transcript) or not isinstance(transcript.text, str):
            raise ValueError(f"expected a Transcript, got {type(transcript).__name__}")
        said = whole_characters(transcript.text).strip()
        if transcript.is_final:
            self._final.append(said)
            self._partial, self._again = "", transcript.again
        else:
            self._partial = said
        whole = self.whole
        if len(whole) > MAX_CHARACTERS:
            raise ValueError("the text does not end")
        if whole and not transcript.is_final:
            self._partly(whole)

    @property
    def again(self) -> Again | None:
        """What else all of it may have been, if that can be found: of a part nobody asks."""
        return self._again if len(self._final) == 1 and not self._partial else None

    @property
    def whole(self) -> str:
        """All that was understood so far."""
        return " ".join(text for text in (*self._final, self._partial) if text)
