"""Between a session and a client that speaks a dialect of a plugin's by a data channel (``contracts/doors.py``)."""

from collections.abc import Callable, Iterable

from glottis.barrier import stop
from glottis.calls.own_channel import OwnChannel
from glottis.contracts.doors import Dialect, HangUp, Saying, ToAgent, ToClient
from glottis.server.sessions.session import Session
from glottis.signaling.messages import Event, Text, document_of


class Interpreter:
    """Has the channel from the beginning of the call on. ``hang_up`` is what the client would say."""

    def __init__(self, session: Session, dialect: Dialect, hang_up: Callable[[str], None]) -> None:
        self._session = session
        self._dialect: Dialect | None = dialect
        self._hang_up = hang_up
        self._channel = OwnChannel(dialect.label, opened=self._opened, heard=self._client_says)
        session.leg.messenger.own_channel = self._channel

    def gateway_says(self, message: Text | Event) -> None:
        """To the client; it waits until the client's channel is open. Raises ``LocalError`` if JSON cannot say it."""
        if not self._channel.is_open:
            self._session.line.missed.keep(message)
        elif self._dialect is not None:
            self._do(self._dialect.gateway_says, document_of(message))

    def leave(self) -> None:
        """The client has gone: its session is not held any longer."""
        self._channel.leave()

    async def wait_for_room(self) -> None:
        """While the client is behind."""
        await self._channel.wait_for_room()

    def _opened(self) -> None:
        if self._dialect is not None:
            self._do(self._dialect.opened)
        for message in self._session.line.missed.take():
            if isinstance(message, Text | Event):
                self.gateway_says(message)

    def _client_says(self, text: str) -> None:
        if self._dialect is not None:
            self._do(self._dialect.client_says, text)

    def _do(self, say: Callable[..., Iterable[Saying]], *told: object) -> None:
        """What a method of the dialect makes of it, one after the other."""
        try:
            for saying in say(*told):
                self._do_one(saying)
        except BaseException as error:
            self._dialect = None
            stop(error, self._session.failed)

    def _do_one(self, saying: Saying) -> None:
        messenger = self._session.leg.messenger
        match saying:
            case ToClient(str(text)):
                if not messenger.say_by_own_channel(text):
                    self._session.line.missed.dropped += 1
            case ToAgent(str(text)):
                messenger.handle_text(text)
            case HangUp(str(reason)):
                self._hang_up(reason)
            case _:
                raise ValueError(f"expected ToClient, ToAgent or HangUp with a text, got {type(saying).__name__}")
