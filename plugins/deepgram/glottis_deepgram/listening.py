"""The recogniser: a WebSocket for each turn, which is heard while the caller speaks."""

import math
from collections.abc import AsyncIterator

import trio
from glottis import AudioFrame, Malformed
from glottis_conversation import Transcript
from glottis_services import ServiceFailed
from glottis_services.websocket import Connect, ServiceSocket, open_socket

from glottis_deepgram.results import Said, read_message_untrusted
from glottis_deepgram.settings import DeepgramConfig, authorization


class Deepgram:
    """The ``SpeechToText`` named ``deepgram``. ``connect`` is for tests."""

    def __init__(self, config: DeepgramConfig, connect: Connect | None = None) -> None:
        self._config = config
        self._connect = connect

    async def transcribe(self, audio: AsyncIterator[AudioFrame]) -> AsyncIterator[Transcript]:
        """Partial and final ones as they come. Raises ``ServiceFailed``."""
        async for first in audio:
            query = listen_query(self._config, first.sample_rate)
            headers = authorization(self._config)
            async with (
                open_socket(self._config, "/v1/listen", query, headers, self._connect) as socket,
                trio.open_nursery() as nursery,
            ):
                turn = _Turn(socket, self._config)
                nursery.start_soon(turn.send, first, audio)
                while (said := await turn.next()) is not None:
                    yield said
                nursery.cancel_scope.cancel()
            return


class _Turn:
    """What is heard in one."""

    def __init__(self, socket: ServiceSocket, config: DeepgramConfig) -> None:
        self._socket = socket
        self._config = config
        self._waiting = trio.CancelScope()
        self._deadline = math.inf

    async def send(self, first: AudioFrame, audio: AsyncIterator[AudioFrame]) -> None:
        """All of it; from then on it has so long to be understood."""
        await self._socket.send(first.pcm)
        async for frame in audio:
            await self._socket.send(frame.pcm)
        await self._socket.send({"type": "CloseStream"})
        self._waiting.deadline = self._deadline = trio.current_time() + self._config.timeout

    async def next(self) -> Transcript | None:
        """What was understood; None at the end."""
        while not (said := await self._receive()).is_end:
            if said.transcript is not None:
                return said.transcript
        return None

    async def _receive(self) -> Said:
        with trio.CancelScope(deadline=self._deadline) as self._waiting:
            message = await self._socket.receive()
        if self._waiting.cancelled_caught:
            raise ServiceFailed(f"{self._config.place} has not understood a turn within {self._config.timeout:g} s")
        try:
            return read_message_untrusted(message)
        except Malformed as error:
            raise ServiceFailed(f"{self._config.place}: {error}: check url, model and extra") from None


def listen_query(config: DeepgramConfig, sample_rate: int) -> dict[str, str | list[str]]:
    """What is asked for; turns are found by the conversation."""
    return {
        "model": config.model,
        "language": config.language,
        "encoding": "linear16",
        "sample_rate": str(sample_rate),
        "channels": "1",
        "interim_results": "true",
        "smart_format": "true",
        "endpointing": "false",
        **({"keyterm": list(config.keyterms)} if config.keyterms else {}),
        **config.extra,
    }
