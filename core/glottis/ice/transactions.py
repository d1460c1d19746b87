"""STUN client transactions over UDP: retransmission and the match of responses, RFC 8489 §6.2.1 and §6.3."""

from typing import Final

import msgspec

from glottis.ice.pair import CandidatePair
from glottis.wire.address import Path

MAX_TRANSACTIONS: Final = 256
"""More than a full check list has at a pace of 20 a second; beyond, the oldest is forgotten, its response ignored."""

ANSWER_RTOS: Final = 4
"""How many RTOs a response may take after the last transmission (Rm of RFC 8489 §6.2.1, which proposes 16)."""


class Transaction(msgspec.Struct, eq=False):
    """A check under way."""

    transaction_id: bytes
    request: bytes
    pair: CandidatePair
    controlling: bool
    """The role that the request claims."""
    nominating: bool
    transmissions_left: int
    rto: float
    max_rto: float
    """Where the doubling of ``rto`` stops."""
    sent_at: float
    due_at: float
    """The next transmission, or after the last one the end of all hope."""
    retransmitted: bool = False

    @property
    def path(self) -> Path:
        """Where the request goes, and the only way its response may come."""
        return self.pair.path

    @property
    def is_current(self) -> bool:
        """Whether its failure is the pair's failure; a triggered check takes this over (RFC 8445 §7.3.1.4)."""
        return self.pair.current_check == self.transaction_id


class Transactions:
    """The checks under way, by transaction id, oldest first."""

    def __init__(self) -> None:
        self._by_id: dict[bytes, Transaction] = {}

    def add(self, transaction: Transaction) -> None:
        """Remember a request that has just left."""
        if len(self._by_id) >= MAX_TRANSACTIONS:
            del self._by_id[next(iter(self._by_id))]
        self._by_id[transaction.transaction_id] = transaction
        self._schedule(transaction, transaction.sent_at)

    def get(self, transaction_id: bytes) -> Transaction | None:
        """The request that this transaction id belongs to, while its response is awaited."""
        return self._by_id.get(transaction_id)

    def remove(self, transaction: Transaction) -> None:
        """It is answered or has failed."""
        self._by_id.pop(transaction.transaction_id, None)

    def abandon(self, pair: CandidatePair) -> None:
        """Cease retransmissions of a pair's checks, yet accept late responses. A nomination is not abandoned."""
        for transaction in self._by_id.values():
            if transaction.pair is pair and transaction.transmissions_left and not transaction.nominating:
                transaction.transmissions_left = 0
                transaction.due_at += (ANSWER_RTOS - 1) * transaction.rto

    def take_due(self, now: float) -> tuple[list[Transaction], list[Transaction]]:
        """Those to transmit again now, already rescheduled, and those that have failed, which the caller removes."""
        due = [transaction for transaction in self._by_id.values() if transaction.due_at <= now]
        failed = [transaction for transaction in due if not transaction.transmissions_left]
        again = [transaction for transaction in due if transaction.transmissions_left]
        for transaction in again:
            transaction.retransmitted = True
            transaction.rto = min(2 * transaction.rto, transaction.max_rto)
            self._schedule(transaction, now)
        return again, failed

    def next_timeout(self) -> float | None:
        """When ``take_due`` has something to give."""
        return min((transaction.due_at for transaction in self._by_id.values()), default=None)

    def clear(self) -> None:
        """Nothing is awaited any more."""
        self._by_id.clear()

    @staticmethod
    def _schedule(transaction: Transaction, now: float) -> None:
        transaction.transmissions_left -= 1
        waits = 1 if transaction.transmissions_left else ANSWER_RTOS
        transaction.due_at = now + waits * transaction.rto
