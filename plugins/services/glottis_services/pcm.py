"""Audio of an answer, as it comes: raw samples, or a WAV file whose length nobody knows yet."""

from typing import Final

from glottis import AudioFrame, Malformed
from glottis.contracts.audio import BYTES_PER_SAMPLE

MAX_HEADER: Final = 65536
"""Bytes before a WAV file's samples; usual are 44."""
COMPRESSED: Final = (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"OggS", b"fLaC", b'{"')
"""How MP3, Ogg, FLAC and JSON begin."""
_MONO_PCM: Final = b"\x01\x00\x01\x00"
_EXTENSIBLE_MONO: Final = b"\xfe\xff\x01\x00"
_RATES: Final = range(8000, 48001)


class PcmReader:
    """``sample_rate`` is that of raw samples; a WAV file says its own."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._waiting = bytearray()
        self._chunk_at = 12
        """Where the next chunk of a WAV file begins in what waits."""
        self._has_begun = False

    def feed_untrusted(self, data: bytes) -> AudioFrame | None:
        """The whole samples that are there by now. Raises ``Malformed`` for what is no mono audio of 16 bits."""
        self._waiting += data
        if not self._has_begun and not self._begin_untrusted():
            return None
        end = len(self._waiting) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE
        pcm = bytes(self._waiting[:end])
        del self._waiting[:end]
        return AudioFrame(pcm, self._rate) if pcm else None

    def _begin_untrusted(self) -> bool:
        """Whether samples are next."""
        if len(self._waiting) < 12:
            return False
        if self._waiting.startswith(b"RIFF") and self._waiting[8:12] == b"WAVE":
            self._has_begun = self._skip_header_untrusted()
        elif self._waiting.startswith(COMPRESSED):
            raise Malformed("expected raw samples or a WAV file")
        else:
            self._has_begun = True
        return self._has_begun

    def _skip_header_untrusted(self) -> bool:
        """Goes on where it came to: a header may come byte by byte."""
        while (begin := self._chunk_at + 8) <= len(self._waiting):
            name, size = self._waiting[begin - 8 : begin - 4], self._waiting[begin - 4 : begin]
            if name == b"data":
                del self._waiting[:begin]
                return True
            if name == b"fmt ":
                if len(self._waiting) < begin + 16:
                    break
                self._take_format_untrusted(bytes(self._waiting[begin : begin + 16]))
            length = int.from_bytes(size, "little")
            self._chunk_at = begin + length + length % 2
            if self._chunk_at > MAX_HEADER:
                raise Malformed("expected samples in the WAV file")
        return False

    def _take_format_untrusted(self, form: bytes) -> None:
        bits, rate = int.from_bytes(form[14:16], "little"), int.from_bytes(form[4:8], "little")
        if form[:4] not in (_MONO_PCM, _EXTENSIBLE_MONO) or bits != 8 * BYTES_PER_SAMPLE or rate not in _RATES:
            raise Malformed("expected a WAV file of mono samples of 16 bits, of 8000 to 48000 Hz")
        self._rate = rate
