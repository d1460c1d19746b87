"""Limits that no association could keep are refused by name."""

import random

import pytest
from glottis import LocalError
from glottis.sctp import SctpAssociation
from glottis.sctp.limits import SctpLimits


@pytest.mark.parametrize("changes", [{"max_packet_size": 10}, {"max_streams": 0}, {"receive_buffer": 100}])
def test_a_limit_out_of_range_is_named(changes: dict[str, int]) -> None:
    (name,) = changes
    with pytest.raises(LocalError, match=name):
        SctpLimits(**changes)


def test_a_message_that_fits_no_buffer_of_ours_is_not_offered() -> None:
    limits = SctpLimits(receive_buffer=65536)
    with pytest.raises(LocalError, match="receive_buffer must hold a message of max_message_size"):
        SctpAssociation(rng=random.Random(0), max_message_size=65536, limits=limits)


def test_an_empty_message_is_refused_for_sctp_has_none() -> None:
    association = SctpAssociation(rng=random.Random(0))
    with pytest.raises(LocalError, match="SCTP carries no empty messages"):
        association.send(0, 51, b"")
    assert association.buffered_amount == 0
