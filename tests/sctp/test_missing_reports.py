"""Fast retransmission by the order of sending, against a count of reports for each chunk (RFC 9260 §7.2.4)."""

import random

import pytest
from glottis.sctp.outstanding import ChunkState, OutboundChunk, Outstanding
from glottis.sctp.send_queue import OutboundMessage


class CountedReports:
    """The model."""

    def __init__(self, row: Outstanding) -> None:
        self.row = row
        self.counts: dict[tuple[int, int], int] = {}
        """Reports of a chunk since it was last sent, by TSN and how often it was sent."""

    def report(self, below_tsn: int) -> list[int]:
        missing = []
        for chunk in self.row:
            if chunk.state is ChunkState.IN_FLIGHT and chunk.tsn < below_tsn and chunk.missing_counts_from <= below_tsn:
                key = chunk.tsn, chunk.sent_count
                self.counts[key] = self.counts.get(key, 0) + 1
                if self.counts[key] >= 3:
                    missing.append(chunk.tsn)
        return missing


def some_sack(row: Outstanding, rng: random.Random) -> tuple[int, tuple[tuple[int, int], ...]]:
    """A SACK of an honest peer to which more has come than to the last one: cumulative TSN and gap blocks."""
    arrived = {chunk.tsn for chunk in row if chunk.state is ChunkState.ACKED or rng.random() < 0.2}
    cumulative = row.cumulative
    while cumulative + 1 in arrived:
        cumulative += 1
    return cumulative, tuple((tsn - cumulative, tsn - cumulative) for tsn in sorted(arrived) if tsn > cumulative)


@pytest.mark.parametrize("seed", range(40))
def test_order_of_sending_finds_what_a_count_for_each_chunk_would_find(seed: int) -> None:
    rng, row, message = random.Random(seed), Outstanding(0), OutboundMessage(1, 51, b"x")
    model, found = CountedReports(row), 0
    for _ in range(300):
        chance = rng.random()
        if chance < 0.5:
            row.add(OutboundChunk(row.next_tsn, b"", 1, message))
        elif chance < 0.9:
            cumulative, blocks = some_sack(row, rng)
            row.acknowledge_up_to(cumulative)
            _, below, _ = row.apply_gaps(blocks)
            below = row.highest_reported if chance < 0.6 else below  # as in fast recovery
            expected, missing = model.report(below), row.report_missing(below)
            assert sorted(chunk.tsn for chunk in missing) == expected
            found += len(missing)
            for chunk in missing:
                row.lose(chunk)
        elif chance < 0.99:
            while (lost := row.next_lost()) is not None:
                row.send_again(lost)
        else:
            row.lose_all()
        in_flight = [chunk.size for chunk in row if chunk.state is ChunkState.IN_FLIGHT]
        assert (row.flight_size, row.size) == (sum(in_flight), len(row))
    assert found
