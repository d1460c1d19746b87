"""The routes ``twilio``: each stream of a phone provider is a call of a campaign's agent."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import trio
from glottis import (
    ConfigurationError,
    DoorCall,
    DoorRefused,
    Malformed,
    Principal,
    RouteRequest,
    RouteSocket,
    Secret,
    SocketRoute,
    WebSocketClosed,
)

from glottis_media_streams.messages import (
    RATE,
    Heard,
    Start,
    clear_said,
    mark_said,
    media_said,
    read_event_untrusted,
)
from glottis_media_streams.signature import HEADER, is_signed

FOLDER: Final = "/twilio"
START_SECONDS: Final = 10.0
"""From the handshake to ``start``, which a provider sends at once."""
LAST_WORDS_SECONDS: Final = 2.0
"""For the caller to hear them: a provider drops what it has as the WebSocket closes."""
LAST_MARK: Final = "last"
MOST_BEFORE_START: Final = 4
"""Messages: a provider sends one."""
_AUDIO: Final = {"inputCodec": "PCMU", "outputCodec": "PCMU", "sampleRate": RATE}
_LONGEST_ID: Final = 16
"""Digits of a mark's name, which is a number of ours."""

_logger = logging.getLogger(__name__)


class TwilioConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the routes ``twilio``."""

    auth_token: Secret | None = None
    """Of the account at Twilio: only what is signed with it has a call."""
    secret: Secret | None = None
    """Only who has it as the last segment of the path has a call."""
    url: str = ""
    """Where Twilio reaches this gateway, such as ``wss://voice.example``. Empty: where the request says it came to."""
    name: str = "twilio"
    """Of the principal whose calls these are, where one of the secrets is set."""

    def __post_init__(self) -> None:
        """Raises ``ConfigurationError``."""
        if self.url and not self.url.startswith(("wss://", "ws://")):
            raise ConfigurationError("url: expected the beginning of a URL, such as wss://voice.example")
        for name in ("auth_token", "secret"):
            if (secret := getattr(self, name)) is not None and not secret:
                raise ConfigurationError(f"{name}: expected some text; leave it out to do without")
        try:
            Principal(self.name)
        except ValueError as error:
            raise ConfigurationError(f"name: {error}") from None


def routes(config: TwilioConfig) -> Sequence[SocketRoute]:
    """For each campaign. Without secrets of its own it is the auth scheme's to say who may call."""
    door = TwilioDoor(config)
    access: Final = "principal" if config.auth_token is None and config.secret is None else "public"
    secret = "" if config.secret is None else "/{secret}"
    return [SocketRoute(f"/{{campaign_id}}{secret}", access, door.serve)]


class TwilioDoor:
    """Of all campaigns."""

    def __init__(self, config: TwilioConfig) -> None:
        self._config = config

    async def serve(self, request: RouteRequest, socket: RouteSocket) -> None:
        """One stream, until either side ends it. Raises ``DoorRefused`` where it is none that can be a call."""
        principal = self._principal_of(request)
        start = await _begun(socket)
        call = await _called(request, start, principal)
        await _Stream(start.stream_sid or "", call, socket).run()

    def _principal_of(self, request: RouteRequest) -> Principal:
        """Raises ``DoorRefused``."""
        if request.principal is not None:
            return request.principal
        config = self._config
        if config.secret is not None and Secret(request.parameters["secret"]) != config.secret:
            raise DoorRefused(401, "UNAUTHENTICATED", "the last segment of the path is not the secret")
        if config.auth_token is not None:
            base = config.url or f"wss://{request.headers.get('host', '')}"
            signature = request.headers.get(HEADER, "")
            if not is_signed(signature, base, f"{FOLDER}{request.path}", config.auth_token.reveal()):
                raise DoorRefused(401, "UNAUTHENTICATED", "no signature of this URL with the auth token; see url")
        return Principal(config.name)


async def _begun(socket: RouteSocket) -> Start:
    """What the stream begins with; raises ``DoorRefused``."""
    with trio.move_on_after(START_SECONDS):
        for _ in range(MOST_BEFORE_START):
            heard = await _heard(socket)
            if heard.event == "start" and heard.start is not None:
                if not heard.start.media_format.is_ours:
                    raise DoorRefused(415, "UNSUPPORTED_FORMAT", "send audio/x-mulaw of 8000 Hz, one channel")
                heard.start.stream_sid = heard.start.stream_sid or heard.stream_sid
                return heard.start
            if heard.event in ("media", "dtmf", "mark", "stop"):
                break
    raise DoorRefused(400, "NO_START", "say what the stream is of first, in time")


async def _heard(socket: RouteSocket) -> Heard:
    """The next message; raises ``DoorRefused``."""
    try:
        return read_event_untrusted(await socket.receive())
    except Malformed as error:
        raise DoorRefused(400, error.code, str(error)) from None


async def _called(request: RouteRequest, start: Start, principal: Principal) -> DoorCall:
    """Raises ``DoorRefused``."""
    assert request.door is not None, "the gateway's requests have one"
    wanted = {
        "campaignId": request.parameters["campaign_id"],
        "transportType": "WebSocket",
        "audioConfig": _AUDIO,
        "dynamicVariables": start.custom_parameters or {},
        "metadata": {
            "callSid": start.call_sid,
            "streamSid": start.stream_sid or "",
            "accountSid": start.account_sid or "",
        },
    }
    return await request.door.call(wanted, principal=principal)


class _Stream:
    """A call and its provider."""

    def __init__(self, stream: str, call: DoorCall, socket: RouteSocket) -> None:
        self._stream = stream
        self._call = call
        self._socket = socket
        self._all_heard = trio.Event()

    async def run(self) -> None:
        """Until either of them ends it."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._play)
            try:
                await self._listen()
            except DoorRefused as refused:
                self._call.end(f"{refused.code}: {refused.detail}")
                raise
            except WebSocketClosed as closed:
                self._call.end(closed.reason or "the stream was closed")
            nursery.cancel_scope.cancel()

    async def _play(self) -> None:
        """What the caller is to hear, until the agent has ended the call and has been heard."""
        try:
            while (sound := await self._call.receive_audio()) is not None:
                await self._socket.send(self._said(sound))
            await self._socket.send(mark_said(self._stream, LAST_MARK))
            with trio.move_on_after(LAST_WORDS_SECONDS):
                await self._all_heard.wait()
            await self._socket.close()
        except WebSocketClosed:
            return  # and who listens is told so, too

    def _said(self, sound: bytes | Mapping[str, Any]) -> str:
        if isinstance(sound, bytes):
            return media_said(self._stream, sound)
        if sound["name"] == "mark":
            return mark_said(self._stream, str(sound["data"]["id"]))
        return clear_said(self._stream)

    async def _listen(self) -> None:
        """Raises ``DoorRefused`` and ``WebSocketClosed``."""
        while (heard := await _heard(self._socket)).event != "stop":
            if heard.event == "start":
                raise DoorRefused(400, "STARTED_TWICE", "open another WebSocket for another stream")
            if heard.mark is not None and heard.mark.name == LAST_MARK:
                self._all_heard.set()
            try:
                self._take(heard)
            except DoorRefused as refused:  # it has ended, or cannot have so many keys
                _logger.debug("a message of session %s is refused: %s", self._call.session_id, refused)
        self._call.end("the stream was stopped")

    def _take(self, heard: Heard) -> None:
        """Raises ``DoorRefused``."""
        match heard:
            case Heard(event="media", media=media) if media is not None and media.is_the_callers:
                self._call.send_audio(media.payload)
            case Heard(event="dtmf", dtmf=key) if key is not None:
                self._call.send_key(key.digit)
            case Heard(event="mark", mark=mark) if mark is not None and _is_id(mark.name):
                self._call.send_mark(int(mark.name))


def _is_id(name: str) -> bool:
    return len(name) <= _LONGEST_ID and name.isascii() and name.isdecimal()
