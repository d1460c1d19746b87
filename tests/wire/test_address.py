"""Addresses as text and as values: glottis reads and writes them as the standard library and sockets do."""

import ipaddress

import pytest
from glottis.wire.address import ip_of, text_of
from hypothesis import example, given
from hypothesis import strategies as st

GROUPS = st.lists(st.sampled_from([0, 0, 1, 0xA0, 0xFFFF]), min_size=8, max_size=8)


@given(GROUPS)
@example([0] * 8)
@example([0, 0, 1, 0, 0, 1, 0, 0])
def test_an_ipv6_address_is_written_as_rfc_5952_has_it(groups: list[int]) -> None:
    ip = ipaddress.IPv6Address(b"".join(group.to_bytes(2) for group in groups))
    text = text_of(ip)
    assert ip_of(text) == ip
    assert "." in text or text == str(ip), "an IPv4 address within may be written as one (§5)"


@pytest.mark.parametrize(
    "text",
    ["192.0.2.1", "2001:DB8::1", "::", "1::", "::ffff:192.0.2.1", "1:2:3:4:5:6:7:8", "0:0::1"],
)
def test_an_address_is_read_as_the_standard_library_reads_it(text: str) -> None:
    assert ip_of(text) == ipaddress.ip_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host",
        "1.2.3",
        "1.2.3.04",
        "1.2.3.256",
        "1.2.3.4 ",
        "1.2.3.4\n",
        "1.2.3.4\0",
        "1:2",
        "::1%1",
        ":::",
        "1.2.3.\u0664",
        "12345::",
        "1:2:3:4:5:6:7:8:9",
        "\ud800",
        "[::1]",
        "::1:",
        "0x1.2.3.4",
    ],
)
def test_other_text_is_no_address(text: str) -> None:
    assert ip_of(text) is None
