"""Spends what the path to the peer carries: on the stream that is sent, and on its protection from loss."""

import math
from collections.abc import Callable, Sequence
from typing import Final

from glottis.contracts.codec import Encoder
from glottis.rtp.congestion import RateController
from glottis.rtp.events import BitrateLimited, PathReported, ReportReceived
from glottis.rtp.loss import (
    COPIES,
    COPIES_SPENT,
    MEMORY,
    MOST_SPENT,
    ExpectedLoss,
    Loss,
    LossCount,
    copies_of_one_bitrate,
    protection,
)
from glottis.rtp.payload import PlainWriter
from glottis.rtp.redundancy import RedWriter
from glottis.rtp.sender import AudioSender

PACKET_OVERHEAD: Final = 68
"""Bytes of IPv4, UDP, RTP, header extensions and SRTP around a payload."""
LEAST_BITRATE: Final = 8000
"""Bits per second of payloads, below which speech is no longer understood with ease."""
COMFORTABLE_BITRATE: Final = 16_000
"""Where less is left for payloads, packets become longer: of 20 ms, their headers alone take 27 kbit/s."""
ONE_BITRATE: Final = 64_000
"""Bits per second of G.711 and G.722, and as good a guess as any of another codec that tells none."""
HYSTERESIS: Final = 4000
"""Bits per second that there must be more before they become shorter again."""


class Protector:
    """Of one sender, whose encoder aims at ``bitrate`` (bits per second) while nothing is lost.

    None is that of a codec with one bitrate: it is only told of the loss, and copies are all that can be spent.
    ``most`` is what the peer wants at most, on average (``maxaveragebitrate``). ``packet_times`` in milliseconds are
    those that packets may have, the one that they have first and then longer ones, for which ``make_encoder`` makes
    encoders. Without ``has_fec`` there is none to spend anything on. Who ``is_generous`` spends more on copies.
    """

    __slots__ = (
        "_bitrate",
        "_controller",
        "_expected",
        "_has_fec",
        "_is_generous",
        "_is_told",
        "_loss",
        "_loss_count",
        "_make_encoder",
        "_most",
        "_packet_times",
        "_path_told_at",
        "_plain",
        "_red_payload_type",
        "_sender",
    )

    def __init__(
        self,
        sender: AudioSender,
        payload_type: int,
        bitrate: int | None,
        packet_times: Sequence[float],
        most: float = math.inf,
        make_encoder: Callable[[float], Encoder] | None = None,
        *,
        has_fec: bool = True,
        is_generous: bool = False,
    ) -> None:
        self._sender = sender
        self._plain = PlainWriter(payload_type)
        self._bitrate = bitrate
        self._most = most
        self._packet_times = packet_times
        self._make_encoder = make_encoder
        self._has_fec = has_fec
        self._is_generous = is_generous
        self._expected = ExpectedLoss()
        self._loss: Loss | None = None
        self._loss_count = LossCount()
        self._path_told_at = -math.inf
        self._is_told = False
        self._red_payload_type: int | None = None
        least = _overhead(packet_times[-1]) + LEAST_BITRATE
        times = COPIES_SPENT if is_generous else MOST_SPENT
        if bitrate is None:
            times = 1 + (COPIES if is_generous else 1)
        spent = times * (ONE_BITRATE if bitrate is None else bitrate)
        self._controller = RateController(least, _overhead(packet_times[0]) + spent)
        sender.target_bitrate = None if bitrate is None else round(min(bitrate, most))

    @property
    def available_bitrate(self) -> float | None:
        """Bits per second with all headers that the path carries, as far as it is needed; None: nobody has told."""
        return self._controller.bitrate if self._is_told else None

    def use_red(self, payload_type: int | None) -> None:
        """RED may be sent under this number, or may not, as was negotiated; a later negotiation may change that."""
        if payload_type == self._red_payload_type:
            return
        self._red_payload_type = payload_type
        plain = self._plain
        self._sender.writer = plain if payload_type is None else RedWriter(payload_type, plain.payload_type)
        self._protect()

    def handle_event(self, event: ReportReceived | PathReported | BitrateLimited, now: float) -> None:
        """The peer has told of the path."""
        controller = self._controller
        self._is_told = self._is_told or not isinstance(event, ReportReceived)
        match event:
            case ReportReceived(fraction_lost, _, _, round_trip_time):
                if now - self._path_told_at > MEMORY:  # else the same is known already, and sooner
                    self._loss = self._expected.reported(fraction_lost, now)
                    controller.reported(fraction_lost, round_trip_time, now)
            case PathReported(packets, lost, gaps, queueing_delay):
                before = controller.bitrate
                controller.path_reported(packets, lost, queueing_delay, now)
                self._path_told_at = now
                fraction = self._loss_count.told(packets, lost, gaps)
                if fraction is not None:
                    loss = self._expected.reported(fraction, now)
                    self._loss = loss._replace(in_a_row=self._loss_count.in_a_row)
                elif controller.bitrate == before:  # several times a second
                    return
            case BitrateLimited(bitrate):
                controller.limited(bitrate, now)
        self._protect()

    def note_round_trip(self, round_trip_time: float, now: float) -> None:
        """In seconds, as the transport has measured it."""
        self._controller.round_trip_measured(round_trip_time, now)

    def _protect(self) -> None:
        sender, loss = self._sender, self._loss or Loss(0.0, 0.0)
        sender.expects_loss = loss.expected > 0.0
        if self._bitrate is None:
            sender.encoder.set_expected_loss(loss.expected)
            self._copy_whole_frames(loss)
            return
        available = self._controller.bitrate
        wished = self._wished_packet_time(available, min(COMFORTABLE_BITRATE, self._bitrate))
        if wished != sender.packet_ms and self._make_encoder is not None:
            sender.change_packet_time(wished, self._make_encoder(wished))
        writer = sender.writer
        has_red = isinstance(writer, RedWriter)
        most = min(self._most, available - _overhead(sender.packet_ms))
        against = protection(
            loss,
            self._bitrate,
            sender.packet_ms,
            has_red=has_red,
            has_fec=self._has_fec,
            most=most,
            is_generous=self._is_generous,
        )
        sender.encoder.set_expected_loss(against.expected_loss)
        sender.encoder.set_bitrate(against.bitrate)
        sender.target_bitrate = against.bitrate * (1 + against.copies)
        if isinstance(writer, RedWriter):
            writer.level, writer.spacing = against.copies, against.spacing

    def _copy_whole_frames(self, loss: Loss) -> None:
        """Where they are agreed on, and until they fill the path: what is lost in a queue is not helped by more."""
        writer, controller = self._sender.writer, self._controller
        if isinstance(writer, RedWriter):
            has_room = controller.bitrate >= controller.most
            copies = copies_of_one_bitrate(loss, is_generous=self._is_generous) if has_room else (0, 1)
            writer.level, writer.spacing = copies

    def _wished_packet_time(self, available: float, wanted: float) -> float:
        """The shortest that leaves so many bits per second for payloads."""
        for packet_ms in self._packet_times:
            spare = HYSTERESIS if packet_ms < self._sender.packet_ms else 0
            if available - _overhead(packet_ms) >= wanted + spare:
                return packet_ms
        return self._packet_times[-1]


def _overhead(packet_ms: float) -> float:
    """Bits per second."""
    return PACKET_OVERHEAD * 8 / (packet_ms / 1000)
