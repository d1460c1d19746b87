"""What a client sends by its WebSocket, on its way in."""

import trio

from glottis.calls.conversation import Backlog
from glottis.calls.leg import Leg
from glottis.server.sessions.flood import OfferLimit, TextGate
from glottis.signaling.messages import Audio, Offer, StreamMessage, Text, TrickledCandidate


class Intake:
    """Text goes to the agent, the rest to the leg: each as fast as it may come (see ``flood``)."""

    __slots__ = ("_leg", "_offers", "texts")

    def __init__(self, leg: Leg, inbox: Backlog, *, patience: float) -> None:
        self.texts = TextGate(inbox, patience)
        self._offers = OfferLimit(trio.current_time())
        self._leg = leg

    def take(self, message: Offer | TrickledCandidate | StreamMessage | Text | Audio, *, started: bool) -> None:
        """Raises ``RemoteError`` if it cannot be used, or not now; ``started`` says whether the agent has begun."""
        now = trio.current_time()
        if isinstance(message, Text):
            self.texts.check_room(message.text, started=started)
            self._leg.messenger.handle_text(message.text)
            return
        if isinstance(message, Audio):
            self._leg.handle_audio(message.data, now)
            return
        if isinstance(message, Offer):
            self._offers.count(now)
        self._leg.handle(message, now)
