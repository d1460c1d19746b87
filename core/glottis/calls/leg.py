"""The seam between a call and the way to its caller: a leg, and the owner that it tells.

A session of the gateway owns a leg, and so does the headless caller. ``LegFactory`` stands in a table by the name of
its transport (CONTRACT §1): a new transport is a leg and an entry.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from glottis.calls.messenger import Messenger
from glottis.calls.voice import Voice
from glottis.contracts.audio import FRAME_MS
from glottis.contracts.call import Message
from glottis.contracts.events import MediaNegotiated
from glottis.contracts.info import CallInfo
from glottis.contracts.notes import Topic
from glottis.contracts.statistics import Statistics
from glottis.peer import ConnectionState, Connectivity
from glottis.signaling.messages import Mark, SignalingMessage


class LegOwner(Protocol):
    """What a leg tells. It may be told of the leg's end while it closes it; nothing raises but ``says``."""

    def state_changed(self, state: ConnectionState, reason: str) -> None:
        """The way of the media stands, is disturbed, has failed or is closed; ``reason`` may be empty."""

    def media_lost(self, reason: str) -> None:
        """The way of the media has failed, as ``state_changed`` would tell, but the far end can bring it back."""

    def path_found(self) -> None:
        """The far end has answered a check of ours; may be told again and again."""

    def connection_changed(self) -> None:
        """Another connection carries the media: it may be another one, and there may be room for speech again."""

    def notes(self, topic: Topic, sentence: str) -> None:
        """For the trace of the call: something that a person may want to know who looks for the reason of a failure."""

    def says(self, message: SignalingMessage) -> None:
        """To be sent to the far end by signaling. Raises ``LocalError`` if JSON cannot say it."""

    def takes_audio(self) -> bool:
        """Whether signaling with the far end stands, so that audio can go that way."""

    def plays(self, audio: bytes | Mark) -> int:
        """To be sent by signaling in its order, audio in binary. Says how many that waited had to give way to it."""

    def stops_playing(self) -> None:
        """What waits of these is not to be sent any more."""

    def received(self, message: Message) -> None:
        """The far end has sent this to the agent, past signaling; only told while ``wants_messages``."""

    def hung_up(self, reason: str) -> None:
        """The far end has ended the call, past signaling."""

    def failed(self, error: BaseException) -> None:
        """Something in the leg, or what it has called, has raised this."""

    def hear(self, now: float) -> None:
        """A media tick, before speech is sent."""

    def spoke(self) -> None:
        """Speech was sent, or there is another direction: there may be room for more."""

    def wants_messages(self) -> bool:
        """Whether the agent is not behind; else what it can do without waits, and holds the far end back."""

    async def room(self) -> None:
        """Wait until signaling has room for what the agent sends."""


class Leg(Protocol):
    """How a call reaches its caller."""

    @property
    def voice(self) -> Voice:
        """Audio in both directions."""

    @property
    def media(self) -> MediaNegotiated | None:
        """The audio that is in force (CONTRACT T5); None before there is any."""

    @property
    def formats(self) -> Mapping[str, Any] | None:
        """The ``audioConfig`` in force from the beginning (CONTRACT §1); None where it is to be negotiated."""

    @property
    def messenger(self) -> Messenger:
        """Messages of the agent, by ways of the leg's own or by signaling."""

    @property
    def negotiates(self) -> bool:
        """Whether the far end can take nothing before the answer to its offer (CONTRACT T12)."""

    def begin(self, now: float) -> None:
        """Signaling with the far end has begun, or begins anew after a loss, perhaps by another network."""

    def begin_again(self) -> None:
        """It goes on over another connection."""

    def handle(self, message: SignalingMessage, now: float) -> None:
        """Take the far end's message, if it is about media. Raises ``RemoteError`` for one that cannot be used."""

    def handle_audio(self, data: bytes, now: float) -> None:
        """Take what the far end has sent by signaling, in binary. Raises ``RemoteError`` if it cannot be used."""

    def stop_playout(self) -> None:
        """The far end takes back what it has sent to be heard, as far as it can."""

    def statistics(self, now: float) -> Statistics:
        """What was counted so far, under the names of W3C webrtc-stats."""

    def connectivity(self) -> Connectivity | None:
        """How far the way of the media has come, for a trace; None where it has none of its own."""

    def heard_since(self, moment: float) -> bool:
        """Whether the far end has given a sign of life since then, or need not give any."""

    def reached_since(self, moment: float) -> bool:
        """Whether the far end has since been at the end of the way that speech takes, silent or not."""

    def start_media(self) -> None:
        """From now on ``hear`` is told in every media tick, and speech is sent."""

    def hold_speech(self, held: bool) -> None:
        """While held, no speech is sent: it waits in its queue."""

    def set_complexity(self, complexity: int) -> None:
        """Spend so much (0–10) on the quality of what is encoded from now on, where the codec can."""

    def catch_up(self) -> None:
        """Tell what was received while the owner did not want it."""

    def close(self) -> None:
        """Say goodbye and release everything. Idempotent, never raises."""


class LegFactory(Protocol):
    """Makes a leg for a call; ``sample_rate`` is the agent's, in hertz, and ``frame_ms`` the length of its frames.

    Raises ``Rejected`` if it cannot have the audio that ``info`` asks for.
    """

    def __call__(self, owner: LegOwner, info: CallInfo, sample_rate: int, frame_ms: int = FRAME_MS) -> Leg: ...
