"""Which addresses clients are told, of those that are bound and those that the operator advertises."""

from typing import Any

import pytest
from glottis import ConfigurationError
from glottis.config import Media, parse_advertised_address
from glottis.media.interfaces import announced_addresses
from glottis.wire.address import Address

SIX, FOUR, OTHER = Address("fd00::1", 5000), Address("10.0.0.1", 5000), Address("10.0.0.2", 5000)


def test_advertised_addresses_lead_to_the_first_bound_one_of_their_family() -> None:
    advertised = [("203.0.113.7", None), ("2001:db8::7", 6000), ("198.51.100.7", 6001), ("10.0.0.1", None)]
    assert announced_addresses([SIX, FOUR, OTHER], advertised, bound_too=True) == {
        SIX: [SIX, Address("2001:db8::7", 6000)],
        FOUR: [FOUR, Address("203.0.113.7", 5000), Address("198.51.100.7", 6001)],
        OTHER: [OTHER],
    }
    assert announced_addresses([SIX, FOUR, OTHER], advertised[:1], bound_too=False) == {
        SIX: [],
        FOUR: [Address("203.0.113.7", 5000)],
        OTHER: [],
    }


def test_an_address_of_a_family_that_is_not_bound_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^media\.advertised_addresses\[1\]: media has no IPv6 address"):
        announced_addresses([FOUR], [("203.0.113.7", None), ("2001:db8::7", None)], bound_too=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("203.0.113.7", ("203.0.113.7", None)),
        ("203.0.113.7:5000", ("203.0.113.7", 5000)),
        ("2001:DB8::7", ("2001:db8::7", None)),
        ("[2001:db8::7]:5000", ("2001:db8::7", 5000)),
    ],
)
def test_addresses_are_written_with_a_port_or_without(text: str, expected: tuple[str, int | None]) -> None:
    assert parse_advertised_address(text) == expected


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"advertised_addresses": ("www.example.org",)}, r"advertised_addresses\[0\]: expected an IP address"),
        ({"advertised_addresses": ("203.0.113.7", "203.0.113.7:0")}, r"advertised_addresses\[1\]: expected an address"),
        ({"advertised_addresses": ("203.0.113.7:65536",)}, r"advertised_addresses\[0\]: expected an address and port"),
        ({"advertised_addresses": ("0.0.0.0",)}, r"advertised_addresses\[0\]: expected an address and port"),
        ({"advertised_addresses": ("[::1",)}, r"advertised_addresses\[0\]: expected an IP address"),
        ({"advertise_bound_addresses": False}, "advertise_bound_addresses: false needs others"),
    ],
)
def test_addresses_that_no_client_reaches_are_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        Media(**settings)
