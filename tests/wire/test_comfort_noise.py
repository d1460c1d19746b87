from contextlib import suppress

import pytest
from glottis.contracts.errors import Malformed
from glottis.wire.comfort_noise import build_comfort_noise, parse_comfort_noise_untrusted
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(0, 127), st.binary(max_size=40))
def test_what_is_built_is_read_whatever_spectrum_follows(level: int, spectrum: bytes) -> None:
    assert parse_comfort_noise_untrusted(build_comfort_noise(level) + spectrum) == level


def test_a_packet_without_a_level_is_malformed() -> None:
    with pytest.raises(Malformed, match="comfort noise"):
        parse_comfort_noise_untrusted(b"")


@given(st.binary(max_size=1500))
def test_fuzz_parse_comfort_noise_untrusted_raises_only_malformed(payload: bytes) -> None:
    """Fuzz test of ``parse_comfort_noise_untrusted``: it raises ``Malformed`` and nothing else."""
    with suppress(Malformed):
        assert 0 <= parse_comfort_noise_untrusted(payload) <= 127
