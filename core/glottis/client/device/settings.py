"""Every key of a device's file, with its default. Lengths of time are in seconds."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from glottis.client.connection import split_gateway_url
from glottis.config.log_settings import Log
from glottis.contracts.errors import ConfigurationError, LocalError
from glottis.contracts.secret import Secret

Pause = Annotated[float, Meta(ge=0.1, le=3600)]
Command = Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(max_length=64)]
Parts = Annotated[tuple[dict[str, Any], ...], Meta(max_length=16)]
"""Each has the name of a component, and the component's own settings."""
MAX_SOCKET_PATH: Final = 100
"""Bytes; Linux takes 107 (unix(7))."""


class GatewaySection(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to call. ``api_key`` may come from the environment."""

    url: str = ""
    campaign: Annotated[str, Meta(min_length=1, max_length=256)] = "echo"
    api_key: Secret | None = None
    codec: str = ""
    websocket: bool = False

    def __post_init__(self) -> None:
        """Refuse what could never be called, before anything is tried for ever."""
        try:
            split_gateway_url(self.url)
        except LocalError:
            raise ConfigurationError("url: expected one such as https://voice.example.org") from None


class SoundSection(msgspec.Struct, frozen=True, kw_only=True):
    """Where sound comes from and goes to."""

    by: Literal["alsa", "portaudio", "commands"] = "alsa"
    device: Annotated[str, Meta(min_length=1)] = "default"
    capture: Command = ()
    playback: Command = ()
    sample_rate: Literal[8000, 16000, 24000, 48000] = 16000
    volume: Annotated[int, Meta(ge=0, le=100)] = 100
    echo_canceller: str = ""
    echo_tail_ms: Annotated[int, Meta(ge=20, le=500)] = 200
    echo_delay_ms: Annotated[int, Meta(ge=0, le=400)] = 0
    noise_suppression_db: Annotated[int, Meta(ge=0, le=40)] = 0

    def __post_init__(self) -> None:
        """Commands are needed where sound goes by them, and senseless elsewhere."""
        for key, command in (("capture", self.capture), ("playback", self.playback)):
            if bool(command) != (self.by == "commands"):
                expected = "a command and its arguments" if self.by == "commands" else 'by = "commands" beside it'
                raise ConfigurationError(f"{key}: expected {expected}")
        if self.noise_suppression_db and not self.echo_canceller:
            raise ConfigurationError("noise_suppression_db: expected echo_canceller beside it")

    @property
    def commands(self) -> tuple[Command, Command]:
        """That write what is heard, and read what is to be played: raw samples of 16 bits, one channel."""
        if self.by == "commands":
            return self.capture, self.playback
        options = ("-q", "-D", self.device, "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", str(self.sample_rate))
        return ("arecord", *options), ("aplay", *options)


class TalkSection(msgspec.Struct, frozen=True, kw_only=True):
    """When a call begins, and when it ends but for the gateway's wish."""

    begin: Literal["always", "level", "command"] = "command"
    level_dbfs: Annotated[float, Meta(ge=-90, le=0)] = -35.0
    level_seconds: Annotated[float, Meta(ge=0.02, le=5)] = 0.1
    end_after_silence: Annotated[float, Meta(ge=0, le=3600)] = 0.0
    button: Literal["toggle", "push-to-talk"] = "toggle"


class RetrySection(msgspec.Struct, frozen=True, kw_only=True):
    """Pauses between attempts."""

    first: Pause = 1.0
    longest: Pause = 60.0

    def __post_init__(self) -> None:
        """Pauses grow."""
        if self.longest < self.first:
            raise ConfigurationError("longest: expected at least first")


class StatusSection(msgspec.Struct, frozen=True, kw_only=True):
    """The Unix socket; empty: none."""

    socket: str = ""

    def __post_init__(self) -> None:
        """Say at the start what bind would."""
        if len(self.socket.encode()) > MAX_SOCKET_PATH:
            raise ConfigurationError(f"socket: expected at most {MAX_SOCKET_PATH} bytes")

    @property
    def path(self) -> Path | None:
        """Of the socket."""
        return Path(self.socket) if self.socket else None


class DeviceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    gateway: GatewaySection
    sound: SoundSection = SoundSection()
    talk: TalkSection = TalkSection()
    retry: RetrySection = RetrySection()
    status: StatusSection = StatusSection()
    log: Log = Log()
    lamps: Parts = ()
    buttons: Parts = ()
