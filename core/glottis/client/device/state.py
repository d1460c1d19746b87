"""How a device is, and what it is told to do."""

from array import array
from enum import StrEnum
from typing import Any

import trio

from glottis.contracts.audio import AudioFrame


class State(StrEnum):
    """What a light on the device could show."""

    IDLE = "idle"
    CONNECTING = "connecting"
    WAITING = "waiting"
    """In the gateway's queue."""
    LISTENING = "listening"
    SPEAKING = "speaking"
    """The agent is heard."""
    TROUBLE = "trouble"


class DeviceState:
    """Changed by the device, and by who commands it."""

    def __init__(self, volume: int, *, is_held: bool) -> None:
        self.state = State.IDLE
        self.since = trio.current_time()
        self.last_error = ""
        self.is_muted = False
        self.volume = volume
        self.calls = 0
        self.failures = 0
        self.is_held = is_held
        """Whether nobody has asked for a call."""
        self.wanted = trio.Event()
        self.changed = trio.Event()
        self.scope: trio.CancelScope | None = None
        """Of the attempt or the call that there is."""

    def become(self, state: State) -> None:
        """Tell who watches, if it is something new."""
        if state is not self.state:
            self.state, self.since = state, trio.current_time()
            self.tell()

    def tell(self) -> None:
        """Wake who watches."""
        self.changed.set()
        self.changed = trio.Event()

    def talk(self) -> None:
        """Somebody wants a call."""
        self.is_held = False
        self.wanted.set()

    def hang_up(self) -> None:
        """Nobody wants one any more."""
        self.is_held = True
        self.wanted = trio.Event()
        if self.scope is not None:
            self.scope.cancel()

    def obey(self, line: str) -> str:
        """A command; returns what is wrong with it."""
        match line.split():
            case ["status"]:
                return ""
            case ["talk"]:
                self.talk()
            case ["hang-up"]:
                self.hang_up()
            case ["mute" | "unmute" as word]:
                self.is_muted = word == "mute"
            case ["volume", str(number)] if number.isascii() and number.isdigit() and len(number) <= 3:
                self.volume = min(int(number), 100)
            case _:
                return "expected status, watch, talk, hang-up, mute, unmute or volume and a number from 0 to 100"
        self.tell()
        return ""

    def document(self) -> dict[str, Any]:
        """For who asks."""
        return {
            "state": self.state,
            "seconds": round(trio.current_time() - self.since, 3),
            "lastError": self.last_error,
            "muted": self.is_muted,
            "volume": self.volume,
            "calls": self.calls,
            "failures": self.failures,
        }

    def captured(self, frame: AudioFrame) -> AudioFrame:
        """As it may be heard."""
        return AudioFrame(bytes(len(frame.pcm)), frame.sample_rate) if self.is_muted else frame

    def played(self, frame: AudioFrame) -> AudioFrame:
        """As loud as is wanted."""
        if self.volume == 100:
            return frame
        samples = array("h", bytes(frame.pcm))
        scaled = array("h", (sample * self.volume // 100 for sample in samples))
        return AudioFrame(scaled.tobytes(), frame.sample_rate)
