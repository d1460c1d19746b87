"""What Deepgram says of what it hears."""

import msgspec
from glottis import Malformed
from glottis_conversation import Transcript


class Alternative(msgspec.Struct):
    """The only one: no more are asked for."""

    transcript: str = ""


class Channel(msgspec.Struct):
    """The only one."""

    alternatives: list[Alternative] = msgspec.field(default_factory=list)


class Said(msgspec.Struct):
    """``Results``, ``Metadata``, ``Error`` and others."""

    type: str
    channel: Channel | list[int] | None = None
    """Others than ``Results`` have numbers there."""
    is_final: bool = False

    @property
    def is_end(self) -> bool:
        """Whether all that was sent is understood."""
        return self.type == "Metadata"

    @property
    def transcript(self) -> Transcript | None:
        """Its words, if it has any."""
        if self.type != "Results" or not isinstance(self.channel, Channel) or not self.channel.alternatives:
            return None
        text = self.channel.alternatives[0].transcript.strip()
        return Transcript(text, self.is_final) if text else None


def read_message_untrusted(message: bytes) -> Said:
    """Raises ``Malformed`` for what is no message, or tells of an error."""
    try:
        said = msgspec.json.decode(message, type=Said)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise Malformed("it says what is no result") from None
    if said.type == "Error":
        raise Malformed("it tells of an error")
    return said
