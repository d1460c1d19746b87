"""The agent ``media-streams``: connects to a bot for each call, and carries voice, keys and marks between the two."""

import logging
import secrets
from contextlib import suppress
from typing import Final

import msgspec
import trio
from glottis import Agent, Call, CampaignInfo, Malformed
from glottis_services import ServiceConfig, ServiceFailed
from glottis_services.takeover import check_campaign, with_takeover
from glottis_services.websocket import Connect, ServiceSocket, open_socket

from glottis_media_streams.messages import CONNECTED, RATE, Said, Told, read_message_untrusted, samples_of
from glottis_media_streams.player import MAX_MARKS, Player

NAME: Final = "media-streams"
STOP_SECONDS: Final = 1.0
"""For the bot to be told that the call is over."""
NORMAL: Final = (1000, 1001, 1005)
"""Codes with which a bot ends a call (RFC 6455 §7.4.1); with others it has failed."""

_logger = logging.getLogger(__name__)


class MediaStreamsConfig(ServiceConfig, frozen=True, kw_only=True):
    """Settings of the agent."""

    url: str
    """Of the bot's WebSocket."""
    parameters: dict[str, str] = msgspec.field(default_factory=dict)
    """Told to the bot as ``customParameters``, beside the strings of the call's ``dynamicVariables``."""
    account_sid: str = ""
    """Told to the bot, for one that looks at it."""
    when_failed: str = ""
    """An agent of this campaign that takes over where the bot fails. Empty: the call ends."""


def media_streams(
    config: MediaStreamsConfig, campaign: CampaignInfo | None = None, *, connect: Connect | None = None
) -> Agent:
    """The agent of these settings. ``connect`` is for tests."""
    check_campaign(NAME, RATE, config.when_failed, campaign)
    key = config.api_key.reveal().strip() if config.api_key is not None else ""
    headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def attach(call: Call) -> None:
        async with open_socket(config, "", {}, headers, connect) as socket:
            await _Attachment(call, config, socket).run()

    return with_takeover(NAME, config.when_failed, attach)


class _Attachment:
    """A bot's to one call."""

    def __init__(self, call: Call, config: MediaStreamsConfig, socket: ServiceSocket) -> None:
        self._call = call
        self._config = config
        self._socket = socket
        self._player = Player(call)
        self._told = Told(f"MZ{secrets.token_hex(16)}", call.info.session_id, config.account_sid)

    async def run(self) -> None:
        """Until one of them ends it. Raises ``ServiceFailed``."""
        variables = {name: value for name, value in self._call.info.dynamic_variables.items() if isinstance(value, str)}
        await self._socket.send(CONNECTED)
        await self._socket.send(self._told.start({**variables, **self._config.parameters}))
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._hear)
                nursery.start_soon(self._watch_keys)
                nursery.start_soon(self._socket.watch)
                nursery.start_soon(self._player.tell_marks, self._tell_mark)
                await self._obey()
                nursery.cancel_scope.cancel()
        finally:
            self._player.finish()
            if self._player.dropped_seconds:
                _logger.warning("%.0f s of what the bot of a call has said found no room", self._player.dropped_seconds)
            if self._socket.close_code is None:
                with trio.move_on_after(STOP_SECONDS, shield=True), suppress(ServiceFailed):
                    await self._socket.send(self._told.stop())

    async def _hear(self) -> None:
        async for frame in self._call.audio:
            await self._socket.send(self._told.media(frame.pcm))

    async def _watch_keys(self) -> None:
        async for key in self._call.dtmf:
            await self._socket.send(self._told.dtmf(key.digit))

    async def _tell_mark(self, name: str) -> None:
        await self._socket.send(self._told.mark(name))

    async def _obey(self) -> None:
        """Until the bot ends it."""
        while True:
            try:
                message = await self._socket.receive()
            except ServiceFailed:
                if self._socket.close_code in NORMAL:
                    return
                raise
            try:
                said = read_message_untrusted(message)
            except Malformed as error:
                raise ServiceFailed(f"{self._config.place}: {error}: check url") from None
            self._take(said)

    def _take(self, said: Said) -> None:
        match said.event:
            case "media" if said.media is not None:
                self._player.play(samples_of(said.media))
            case "mark" if said.mark is not None:
                if not self._player.mark(said.mark.name):
                    raise ServiceFailed(f"{self._config.place}: it sets more than {MAX_MARKS} marks: check url")
            case "clear":
                self._player.clear()
