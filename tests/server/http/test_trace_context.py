"""Which traces requests belong to."""

import pytest
from glottis.server.http.trace_context import traceparent

VALID = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("sent", "known"),
    [
        (VALID, VALID),
        ("", ""),
        (VALID.upper(), ""),
        (f"01{VALID[2:]}-more", ""),
        (f"{VALID}\n", ""),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", ""),
        (f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01", ""),
        ("00-" + "é" * 32 + "-00f067aa0ba902b7-01", ""),
    ],
)
def test_a_traceparent_is_known_by_its_form(sent: str, known: str) -> None:
    assert traceparent({"traceparent": sent}) == known


def test_a_request_without_one_has_none() -> None:
    assert traceparent({}) == ""
