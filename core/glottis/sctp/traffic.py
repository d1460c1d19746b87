"""What data channels have carried."""

import msgspec


class Traffic(msgspec.Struct):
    """Messages and their bytes, of one channel or of all of an association together."""

    messages_sent: int = 0
    bytes_sent: int = 0
    messages_received: int = 0
    bytes_received: int = 0

    def count_sent(self, size: int) -> None:
        """A message of so many bytes is queued."""
        self.messages_sent += 1
        self.bytes_sent += size

    def count_on(self, before: "Traffic") -> None:
        """What was carried elsewhere."""
        self.messages_sent += before.messages_sent
        self.bytes_sent += before.bytes_sent
        self.messages_received += before.messages_received
        self.bytes_received += before.bytes_received

    def count_received(self, size: int) -> None:
        """A message of so many bytes has come."""
        self.messages_received += 1
        self.bytes_received += size
