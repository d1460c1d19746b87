"""The Opus encoder."""

from typing import Final

from _cffi_backend import FFI
from glottis import EncoderSettings, LocalError

from .deep_redundancy import MIN_COMPLEXITY, UNIT_MS, told_loss, useful_bitrate
from .failures import raise_unless_ok, reason
from .library import ffi, lib
from .packet import FRAME_DURATIONS_MS, MAX_FRAME_BYTES, SAMPLE_RATES
from .parameters import clamp_bitrate, plan_encoder

MAX_COMPLEXITY: Final = 10

MAX_DTX_BYTES: Final = 2
"""A frame of up to two bytes need not be transmitted (libopus, ``opus_encode``); libopus refreshes every 400 ms."""


class OpusEncoder:
    """Encodes mono frames of one duration. Raises ``ValueError`` for a rate, duration or complexity Opus has not.

    libopus has no state of it before the first frame: it takes 40 KiB, and calls that are not connected yet, or in
    which only packets are relayed, never say one.
    """

    def __init__(self, settings: EncoderSettings) -> None:
        self._sample_rate = settings.sample_rate
        self._frame_samples = _frame_samples(settings)
        self._state = self._packet = ffi.NULL
        self._settings: dict[int, int] = {}
        """By libopus' request."""
        self._configure(settings)

    def encode(self, pcm: bytes) -> bytes:
        """Encode one frame; empty if it need not be sent (DTX). Raises ``ValueError`` for a wrong number of samples."""
        if len(pcm) != 2 * self._frame_samples:
            raise ValueError(f"expected {self._frame_samples} samples of 16 bits, got {len(pcm)} bytes")
        if not self._state:
            self._begin()
        samples = ffi.from_buffer("opus_int16[]", pcm)
        size = lib.opus_encode(self._state, samples, self._frame_samples, self._packet, MAX_FRAME_BYTES)
        if size < 0:
            raise LocalError(f"libopus: opus_encode: {reason(size)}")
        packet: bytes = ffi.buffer(self._packet, size)[:]
        return packet if size > MAX_DTX_BYTES else b""

    def set_expected_loss(self, fraction: float) -> None:
        """Spend bits on in-band FEC for this share (0–1) of lost packets; at 0 no FEC is sent."""
        percent = round(100 * min(max(fraction, 0.0), 1.0))
        self._set(lib.OPUS_SET_PACKET_LOSS_PERC_REQUEST, told_loss(percent) if self._dred_ms else percent)

    def set_bitrate(self, bits_per_second: int) -> None:
        """Aim at this bitrate, between 6000 bit/s and what the receiver allows (``maxaveragebitrate``)."""
        bitrate = clamp_bitrate(bits_per_second, self._max_bitrate)
        self._set(lib.OPUS_SET_BITRATE_REQUEST, useful_bitrate(bitrate) if self._dred_ms else bitrate)

    def set_complexity(self, complexity: int) -> None:
        """From the next frame on: 0 to 10, each frame as long and as many bits as before."""
        self._set(lib.OPUS_SET_COMPLEXITY_REQUEST, min(max(complexity, 0), MAX_COMPLEXITY))
        if self._dred_ms:
            dred_ms = self._dred_ms if complexity >= MIN_COMPLEXITY else 0
            self._set(lib.OPUS_SET_DRED_DURATION_REQUEST, dred_ms // UNIT_MS)

    def _configure(self, settings: EncoderSettings) -> None:
        plan = plan_encoder(settings)
        self._max_bitrate = plan.max_bitrate
        self._dred_ms = plan.dred_ms
        self.set_bitrate(plan.bitrate)
        self.set_expected_loss(settings.expected_loss)
        self.set_complexity(settings.complexity)
        self._set(lib.OPUS_SET_MAX_BANDWIDTH_REQUEST, plan.max_bandwidth)
        self._set(lib.OPUS_SET_VBR_REQUEST, not plan.constant_bitrate)
        self._set(lib.OPUS_SET_INBAND_FEC_REQUEST, plan.in_band_fec)
        self._set(lib.OPUS_SET_DTX_REQUEST, plan.dtx)

    def _begin(self) -> None:
        self._state = _create(self._sample_rate)
        # Frames of more than 20 ms may be several in one packet; but a packet should fit one datagram, and libopus
        # lowers the bitrate where it must.
        self._packet = ffi.new("unsigned char[]", MAX_FRAME_BYTES)
        for request, value in self._settings.items():
            self._apply(request, value)

    def _set(self, request: int, value: int) -> None:
        self._settings[request] = value
        if self._state:
            self._apply(request, value)

    def _apply(self, request: int, value: int) -> None:
        raise_unless_ok(lib.encoder_set(self._state, request, value), f"opus_encoder_ctl {request} with {value}")


def _frame_samples(settings: EncoderSettings) -> int:
    if settings.sample_rate not in SAMPLE_RATES:
        raise ValueError(f"Opus encodes from {SAMPLE_RATES} Hz, not from {settings.sample_rate} Hz")
    if settings.frame_ms not in FRAME_DURATIONS_MS:
        raise ValueError(f"Opus has frames of {FRAME_DURATIONS_MS} ms, not of {settings.frame_ms} ms")
    if not 0 <= settings.complexity <= MAX_COMPLEXITY:
        raise ValueError(f"the complexity of Opus is 0 to {MAX_COMPLEXITY}, not {settings.complexity}")
    return round(settings.sample_rate * settings.frame_ms / 1000)


def _create(sample_rate: int) -> FFI.CData:
    error = ffi.new("int *")
    state = lib.opus_encoder_create(sample_rate, 1, lib.OPUS_APPLICATION_VOIP, error)
    raise_unless_ok(error[0], "opus_encoder_create")
    return ffi.gc(state, lib.opus_encoder_destroy, lib.opus_encoder_get_size(1))
