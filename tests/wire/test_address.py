"""Addresses as text: glottis writes what the standard library does."""

from ipaddress import IPv6Address

from glottis.wire.address import text_of
from hypothesis import example, given
from hypothesis import strategies as st

GROUPS = st.lists(st.sampled_from([0, 0, 1, 0xA0, 0xFFFF]), min_size=8, max_size=8)


@given(GROUPS)
@example([0] * 8)
@example([0, 0, 1, 0, 0, 1, 0, 0])
def test_an_ipv6_address_is_written_as_rfc_5952_has_it(groups: list[int]) -> None:
    ip = IPv6Address(b"".join(group.to_bytes(2) for group in groups))
    assert ip.ipv4_mapped is not None or text_of(ip) == str(ip)
