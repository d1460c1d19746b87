"""WAV files of every kind that speech comes in: PCM of 8 to 32 bits, floating point, G.711, several channels, any rate.

Those that are longer than 4 GiB, or may become so, are RF64 (EBU Tech 3306): a chunk before the rest has their sizes.
"""

import struct
import warnings
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from glottis.contracts.errors import ConfigurationError
from glottis.lab.samples import Signal

with warnings.catch_warnings():  # from Python 3.13 on the module is a package of its own, audioop-lts
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

MAX_BYTES: Final = 2**30
_UNKNOWN: Final = range(0x7FFF0000, 0x100000000)
"""Sizes that programs write who do not know it yet, as into a pipe, or have it in another chunk."""
_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_FORMAT: Final = struct.Struct("<HHIIHH")
_MAX_CHANNELS: Final = 64
_RATES: Final = range(1000, 768_001)
_CONVERT: Final = "convert it to PCM of 16 bits, as by `ffmpeg -i FILE -c:a pcm_s16le OUT.wav`"


class Wav(NamedTuple):
    """One channel, the mean of all, on the scale of 16-bit samples."""

    signal: Signal
    rate: int
    is_cut_off: bool = False
    """Whether it ends before its header says."""


class _Format(NamedTuple):
    tag: int
    channels: int
    rate: int
    bits: int


def read_wav(path: Path) -> Wav:
    """Raises ``ConfigurationError`` that names the file, and says what to change."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationError(f"{path}: is longer than {MAX_BYTES >> 20} MiB: cut it")
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    if data[:4] not in (b"RIFF", b"RF64") or data[8:12] != b"WAVE":
        raise ConfigurationError(f"{path}: is no WAV file: {_CONVERT}")
    chunks, is_cut_off = _chunks(data)
    if b"fmt " not in chunks or b"data" not in chunks:
        raise ConfigurationError(f"{path}: ends before its samples: {_CONVERT}")
    form = _format(chunks[b"fmt "], path)
    return Wav(_mono(_samples(chunks[b"data"], form, path), form.channels), form.rate, is_cut_off)


def _chunks(data: bytes) -> tuple[dict[bytes, bytes], bool]:
    """By name, the first of each, and whether samples are missing. Those of no known size end with the file."""
    found: dict[bytes, bytes] = {}
    start, is_cut_off = 12, False
    while start + 8 <= len(data):
        name = data[start : start + 4]
        (size,) = struct.unpack_from("<I", data, start + 4)
        if name == b"data" and size in _UNKNOWN and len(found.get(b"ds64", b"")) >= 16:
            (size,) = struct.unpack_from("<Q", found[b"ds64"], 8)
        found.setdefault(name, data[start + 8 : start + 8 + size])
        start += 8 + size + size % 2
        if name == b"data" and size not in _UNKNOWN:
            is_cut_off = start - size % 2 > len(data)
    return found, is_cut_off


def _format(chunk: bytes, path: Path) -> _Format:
    if len(chunk) < _FORMAT.size:
        raise ConfigurationError(f"{path}: its format chunk is too short: {_CONVERT}")
    tag, channels, rate, _, _, bits = _FORMAT.unpack_from(chunk)
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        (tag,) = struct.unpack_from("<H", chunk, 24)  # the first two bytes of the subformat's GUID
    if not 1 <= channels <= _MAX_CHANNELS:
        raise ConfigurationError(f"{path}: has {channels} channels: {_CONVERT}")
    if rate not in _RATES:
        raise ConfigurationError(f"{path}: has {rate} samples per second: resample it to 16000 or 48000")
    return _Format(tag, channels, rate, bits)


def _samples(data: bytes, form: _Format, path: Path) -> Signal:
    """On the scale of 16 bits, channels interleaved. Bits that fill no bytes are the highest of them."""
    match form.tag, -(-form.bits // 8) * 8:
        case (1, 8):
            return (_array(data, "u1") - 128.0) * 256.0
        case (1, 16):
            return _array(data, "<i2")
        case (1, 24):
            low = np.frombuffer(data[: len(data) // 3 * 3], np.uint8).reshape(-1, 3)
            wide = np.zeros((len(low), 4), np.uint8)
            wide[:, 1:] = low
            return wide.view("<i4").reshape(-1).astype(np.float64) / 65536.0
        case (1, 32):
            return _array(data, "<i4") / 65536.0
        case (3, 32):
            return _finite(_array(data, "<f4") * 32768.0, path)
        case (3, 64):
            return _finite(_array(data, "<f8") * 32768.0, path)
        case (6, 8):
            return _array(audioop.alaw2lin(data, 2), "=i2")
        case (7, 8):
            return _array(audioop.ulaw2lin(data, 2), "=i2")
    raise ConfigurationError(f"{path}: has samples of {form.bits} bits in format {form.tag}: {_CONVERT}")


def _array(data: bytes, kind: str) -> Signal:
    size = np.dtype(kind).itemsize
    whole: Signal = np.frombuffer(data[: len(data) // size * size], kind).astype(np.float64)
    return whole


def _finite(signal: Signal, path: Path) -> Signal:
    if not np.isfinite(signal).all():
        raise ConfigurationError(f"{path}: has samples that are no numbers: {_CONVERT}")
    return signal


def _mono(samples: Signal, channels: int) -> Signal:
    whole = samples[: len(samples) // channels * channels].reshape(-1, channels)
    mean: Signal = whole.mean(axis=1)
    return mean
