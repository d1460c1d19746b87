"""Which libopus is used, and what a newer one has: a decoder with a complexity, from version 1.5 on."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from glottis_opus import OpusDecoder, decoder
from glottis_opus.decoder import COMPLEXITY, PLAIN, Allowance
from glottis_opus.library import VARIABLE, lib

STAND_IN = """
#define F(name) int name() { return -5; }
F(opus_encoder_get_size) F(opus_encoder_create) F(opus_encoder_destroy) F(opus_encode) F(opus_encoder_ctl)
F(opus_decoder_get_size) F(opus_decoder_create) F(opus_decoder_destroy) F(opus_decode) F(opus_decoder_ctl)
F(opus_packet_get_nb_samples) F(opus_strerror)
const char *opus_get_version_string() { return "libopus 9.9"; }
"""


class NewLibrary:
    """The library that there is, with decoders that have a complexity as those of version 1.5."""

    def __init__(self, library: Any) -> None:
        self._library = library
        self.complexities: list[int] = []
        self.concealed_with: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)

    def decoder_set(self, state: Any, request: int, value: int) -> int:
        assert request == self._library.OPUS_SET_COMPLEXITY_REQUEST
        self.complexities.append(value)
        return int(self._library.OPUS_OK)

    def opus_decode(self, state: Any, data: Any, *rest: Any) -> int:
        if not data:
            self.concealed_with.append(self.complexities[-1])
        return int(self._library.opus_decode(state, data, *rest))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def version_with(library: str) -> subprocess.CompletedProcess[str]:
    code = "from glottis_opus import VERSION; print(VERSION)"
    environment = {**os.environ, VARIABLE: library}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_library_that_the_environment_names_is_used(tmp_path: Path) -> None:
    source, library = tmp_path / "opus.c", tmp_path / "libopus.so"
    source.write_text(STAND_IN)
    compiler = shutil.which("gcc") or "cc"
    subprocess.run([compiler, "-shared", "-fPIC", "-Wl,-soname,libopus.so.0", "-o", library, source], check=True)
    assert version_with(str(library)).stdout == "libopus 9.9\n"
    source.write_text("int nothing;")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    assert f"{library} is no libopus" in version_with(str(library)).stderr


@pytest.mark.slow
def test_a_library_that_is_not_there_is_named() -> None:
    assert f"{VARIABLE}: expected the file of a libopus: /not/there" in version_with("/not/there").stderr
    assert version_with("").stdout.startswith("libopus ")


def test_a_new_library_conceals_by_its_network_as_long_as_that_takes_little_of_the_time(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    library = NewLibrary(lib)
    monkeypatch.setattr(decoder, "lib", library)
    monkeypatch.setattr(decoder, "ALLOWANCE", Allowance(0.01, clock))
    one, other = OpusDecoder(16000), OpusDecoder(16000)
    assert library.complexities == [COMPLEXITY, COMPLEXITY]
    assert len(one.conceal(320)) == 640
    clock.now += 0.001
    for each in (one, other):
        each.decode(b"\x08")
        assert len(each.conceal(320)) == 640
    assert library.concealed_with == [COMPLEXITY] * 3
    assert library.complexities[-1] == COMPLEXITY


def test_an_old_library_conceals_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    library = NewLibrary(lib)
    monkeypatch.setattr(library, "decoder_set", lambda *_: library.OPUS_UNIMPLEMENTED, raising=False)
    monkeypatch.setattr(decoder, "lib", library)
    library.complexities = [PLAIN]
    assert len(OpusDecoder(16000).conceal(320)) == 640
    assert library.concealed_with == [PLAIN]


def test_what_takes_too_much_time_waits_until_that_is_paid(clock: Clock) -> None:
    allowance = Allowance(0.05, clock)
    began = allowance.begin()
    assert began == 0.0
    clock.now = 0.1
    allowance.end(began)  # of 0.05 seconds
    assert allowance.begin() is None
    clock.now = 0.9
    assert allowance.begin() is None
    clock.now = 1.2
    assert allowance.begin() == 1.2
    clock.now = 100
    began = allowance.begin()
    assert began is not None
    clock.now += 0.06
    allowance.end(began)
    assert allowance.begin() is None  # what is saved is no more than that of a second
