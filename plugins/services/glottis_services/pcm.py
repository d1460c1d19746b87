"""Audio of an answer, as it comes: raw samples, or a WAV file whose length nobody knows yet."""

from typing import Final

from glottis import AudioFrame
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
        self._waiting = b""
        self._has_begun = False

    def feed(self, data: bytes) -> AudioFrame | None:
        """The whole samples that are there by now. Raises ``ValueError`` for what is no mono audio of 16 bits."""
        self._waiting += data
        if not self._has_begun and not self._begin():
            return None
        end = len(self._waiting) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE
        pcm, self._waiting = self._waiting[:end], self._waiting[end:]
        return AudioFrame(pcm, self._rate) if pcm else None

    def _begin(self) -> bool:
        """Whether samples are next."""
        if len(self._waiting) < 12:
            return False
        if self._waiting.startswith(b"RIFF") and self._waiting[8:12] == b"WAVE":
            self._has_begun = self._skip_header()
        elif self._waiting.startswith(COMPRESSED):
            raise ValueError("expected raw samples or a WAV file")
        else:
            self._has_begun = True
        return self._has_begun

    def _skip_header(self) -> bool:
        at = 12
        while at + 8 <= len(self._waiting) and at <= MAX_HEADER:
            name, size = self._waiting[at : at + 4], int.from_bytes(self._waiting[at + 4 : at + 8], "little")
            at += 8
            if name == b"data":
                self._waiting = self._waiting[at:]
                return True
            if name == b"fmt " and len(self._waiting) >= at + 16:
                self._take_format(self._waiting[at : at + 16])
            at += size + size % 2
        if at > MAX_HEADER:
            raise ValueError("expected samples in the WAV file")
        return False

    def _take_format(self, form: bytes) -> None:
        bits, rate = int.from_bytes(form[14:16], "little"), int.from_bytes(form[4:8], "little")
        if form[:4] not in (_MONO_PCM, _EXTENSIBLE_MONO) or bits != 8 * BYTES_PER_SAMPLE or rate not in _RATES:
            raise ValueError("expected a WAV file of mono samples of 16 bits, of 8000 to 48000 Hz")
        self._rate = rate
