"""Protects the stream that is sent from the loss that the peer reports."""

from glottis.rtp.loss import ExpectedLoss, Loss, protection
from glottis.rtp.payload import PlainWriter
from glottis.rtp.redundancy import RedWriter
from glottis.rtp.sender import AudioSender


class Protector:
    """Of one sender, whose encoder aims at ``bitrate`` (bits per second) while nothing is lost.

    None is that of a codec with one bitrate: it has nothing to spend, and is only told of the loss.
    """

    __slots__ = ("_bitrate", "_expected", "_loss", "_packet_ms", "_plain", "_red_payload_type", "_sender")

    def __init__(self, sender: AudioSender, payload_type: int, bitrate: int | None, packet_ms: float) -> None:
        self._sender = sender
        self._plain = PlainWriter(payload_type)
        self._bitrate = bitrate
        self._packet_ms = packet_ms
        self._expected = ExpectedLoss()
        self._loss: Loss | None = None
        self._red_payload_type: int | None = None

    def use_red(self, payload_type: int | None) -> None:
        """RED may be sent under this number, or may not, as was negotiated; a later negotiation may change that."""
        if self._bitrate is None or payload_type == self._red_payload_type:
            return
        self._red_payload_type = payload_type
        plain = self._plain
        self._sender.writer = plain if payload_type is None else RedWriter(payload_type, plain.payload_type)
        self._protect()

    def reported(self, fraction_lost: float, now: float) -> None:
        """The peer has lost so much (0–1) since its last report."""
        self._loss = self._expected.reported(fraction_lost, now)
        self._protect()

    def _protect(self) -> None:
        sender, loss = self._sender, self._loss
        if loss is None:
            return
        if self._bitrate is None:
            sender.encoder.set_expected_loss(loss.expected)
            return
        writer = sender.writer
        against = protection(loss, self._bitrate, self._packet_ms, has_red=isinstance(writer, RedWriter))
        sender.encoder.set_expected_loss(against.expected_loss)
        sender.encoder.set_bitrate(against.bitrate)
        if isinstance(writer, RedWriter):
            writer.level = against.copies
