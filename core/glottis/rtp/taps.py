"""What listens in on the media of a call: bound once, before it begins, and costs nothing where it is not."""

from collections.abc import Callable

import msgspec

from glottis.contracts.audio import EncodedPacket, FrameTap
from glottis.contracts.extensions import Incoming
from glottis.rtp.found_keys import FoundKeys
from glottis.rtp.payload import PacketWatch


class Taps(msgspec.Struct):
    """Of both directions of a call."""

    heard: FrameTap | None = None
    """Gets each frame that is heard, after playout."""
    spoken: FrameTap | None = None
    """Gets each frame that is said, before it is encoded."""
    received: PacketWatch | None = None
    """Is told of each packet that is heard."""
    sent: PacketWatch | None = None
    """Is told of each packet that is sent."""
    relayed: Callable[[EncodedPacket], None] | None = None
    """Is told of each packet that is said as it came from elsewhere."""
    incoming: Callable[[Incoming, bytes, float], None] | None = None
    """Is told of all that comes in: see ``SessionObserver.incoming``."""
    pressed: Callable[[], None] | None = None
    """Called when something has happened to the caller's keys."""
    keys: FoundKeys = msgspec.field(default_factory=FoundKeys)
    """What ``heard`` has found in the frames."""
