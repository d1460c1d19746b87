"""The client's side of connectivity checks: send them paced, and learn from the responses, RFC 8445 §6.1.4 and §7.2."""

import random
from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from glottis.ice.check_list import CheckList
from glottis.ice.credentials import Credentials
from glottis.ice.pair import CandidatePair, PairState
from glottis.ice.role import Role
from glottis.ice.timing import IceTiming
from glottis.ice.transactions import Transaction, Transactions
from glottis.sdp.candidate import Candidate, candidate_foundation
from glottis.wire.address import Address, Datagram, Path
from glottis.wire.stun import TRANSACTION_ID_LENGTH, Attribute, MessageClass, StunMessage, build_stun

ROLE_CONFLICT: Final = 487

MAX_UNANSWERED_TRANSMISSIONS: Final = 200
"""Per pair, since its last answer. By itself it gets seven; only checks of the peer that arrive ask for more. Beyond,
it gets one check in the time that consent lasts, for what stands in the way may pass."""


class Checker:
    """Works through the check list, once the peer's credentials are known."""

    def __init__(
        self, check_list: CheckList, role: Role, local: Credentials, timing: IceTiming, rng: random.Random
    ) -> None:
        self.remote: Credentials | None = None
        self._check_list = check_list
        self._role = role
        self._local = local
        self._timing = timing
        self._rng = rng
        self._transactions = Transactions()
        self._next_check_at = 0.0
        self._concluded = False
        self._doubtful: CandidatePair | None = None
        self._to_send: list[Datagram] = []

    def datagrams_to_send(self) -> list[Datagram]:
        """Return and empty what has been collected."""
        datagrams, self._to_send = self._to_send, []
        return datagrams

    def next_timeout(self) -> float | None:
        """When a check or a retransmission is due."""
        due = self._transactions.next_timeout()
        if self.remote is not None and self._check_list.has_work:
            return self._next_check_at if due is None else min(self._next_check_at, due)
        return due

    def handle_timeout(self, now: float) -> None:
        """Retransmit what is due, give up what is hopeless, and start one new check if Ta has passed."""
        again, failed = self._transactions.take_due(now)
        for transaction in again:
            if self._check_list.get(transaction.path) is transaction.pair:
                self._transmit(transaction)
            else:  # the pair has given way, and is asked nothing any more
                self._finish(transaction)
        for transaction in failed:
            self._finish(transaction)
            self._fail(transaction, "nobody answers")
        if self.remote is not None and now >= self._next_check_at:
            self._check_next(now)

    def trigger(self, pair: CandidatePair, now: float) -> None:
        """The peer has checked this pair: check it back at once, RFC 8445 §7.3.1.4."""
        if pair.unanswered_transmissions >= MAX_UNANSWERED_TRANSMISSIONS:
            if now - pair.asked_at < self._timing.consent_lifetime:
                return
            pair.asked_at = now
        self._transactions.abandon(pair)
        self._check_list.trigger(pair)

    def nominate(self, pair: CandidatePair, now: float) -> None:
        """Check a valid pair once more, with USE-CANDIDATE, RFC 8445 §8.1.1."""
        pair.nominating = True
        self._send_check(pair, now, nominating=True, transmissions=self._timing.transmissions)

    def ask_consent(self, pair: CandidatePair, now: float) -> None:
        """Check a valid pair without doubting it, RFC 7675 §5.1."""
        self._send_check(pair, now, nominating=False, transmissions=self._timing.consent_transmissions)

    def ask_quickly(self, pair: CandidatePair, now: float, *, transmissions: int | None = None) -> None:
        """The same of a pair that the peer may have left."""
        transmissions = transmissions or self._timing.consent_transmissions
        self._send_check(pair, now, nominating=False, transmissions=transmissions, hasty=True)

    def conclude(self, selected: CandidatePair | None) -> None:
        """Once it is nominated: start nothing of our own any more, nor go on with what is worse, RFC 8445 §8.1.2."""
        if self._concluded or selected is None or not selected.nominated or selected is self._doubtful:
            return
        self._concluded, self._doubtful = True, None
        self._check_list.conclude()
        priority = self._check_list.priority
        for pair in self._check_list:
            if pair.state is PairState.IN_PROGRESS and priority(pair) < priority(selected):
                self._transactions.abandon(pair)

    def reopen(self, doubtful: CandidatePair | None) -> None:
        """Start checks again until another pair than this one, which the peer may leave, is nominated and selected."""
        self._concluded, self._doubtful = False, doubtful
        self._check_list.reopen()

    def awaits(self, transaction_id: bytes) -> bool:
        """See ``IceAgent.awaits``."""
        return self._transactions.get(transaction_id) is not None

    def stop(self) -> None:
        """Send nothing and expect nothing any more."""
        self._transactions.clear()
        self._to_send.clear()
        self.remote = None

    def accept_response(
        self, message: StunMessage, path: Path, now: float, own_candidates: Mapping[Address, Candidate]
    ) -> bool:
        """Match a response with its check, RFC 8445 §7.2.5; says whether it was the peer's.

        RFC 8445 §7.2.5.2.1 lets a response from elsewhere fail the pair. It is ignored instead, like one that is not
        signed by the peer: whoever can overhear and repeat a response must not be able to stop a call.
        """
        transaction = self._transactions.get(message.transaction_id)
        if transaction is None or self.remote is None or transaction.path != path:
            return False
        if message.unknown_attributes or not message.is_signed_with(self.remote.key):
            return False
        self._finish(transaction)
        transaction.pair.responses_received += 1
        transaction.pair.heard_at = now
        if message.message_class is MessageClass.SUCCESS and message.xor_mapped_address is not None:
            self._succeed(transaction, message.xor_mapped_address, now, own_candidates)
        elif message.error_code == ROLE_CONFLICT:
            self._resolve_conflict(transaction, now)
        else:
            self._fail(transaction, f"the far end refuses with error {message.error_code}")
        return True

    def _check_next(self, now: float) -> None:
        pair = self._check_list.next_pair()
        if pair is None:
            return
        pair.state = PairState.IN_PROGRESS
        # Once a pair is nominated, only a path that the peer has taken is checked: it may have left the nominated one.
        pair.current_check = self._send_check(
            pair, now, nominating=False, transmissions=self._timing.transmissions, hasty=self._concluded
        )
        self._next_check_at = now + self._timing.pacing

    def _send_check(
        self, pair: CandidatePair, now: float, *, nominating: bool, transmissions: int, hasty: bool = False
    ) -> bytes:
        """Returns the transaction's id. A hasty one is repeated at short and even intervals."""
        transaction_id = self._rng.randbytes(TRANSACTION_ID_LENGTH)
        timing = self._timing
        transaction = Transaction(
            transaction_id=transaction_id,
            request=self._build_check(pair, transaction_id, nominating=nominating),
            pair=pair,
            controlling=self._role.controlling,
            nominating=nominating,
            transmissions_left=transmissions,
            rto=timing.moved_rto if hasty else self._rto(),
            max_rto=timing.moved_rto if hasty else timing.max_rto,
            sent_at=now,
            due_at=now,
        )
        self._transactions.add(transaction)
        self._transmit(transaction)
        return transaction_id

    def _build_check(self, pair: CandidatePair, transaction_id: bytes, *, nominating: bool) -> bytes:
        """RFC 8445 §7.2.2: the receiver's ufrag comes first and its password signs."""
        assert self.remote is not None
        attributes = [
            (Attribute.USERNAME, f"{self.remote.ufrag}:{self._local.ufrag}".encode()),
            (Attribute.PRIORITY, pair.reflexive_priority.to_bytes(4)),
            self._role.attribute,
        ]
        if nominating:
            attributes.append((Attribute.USE_CANDIDATE, b""))
        return build_stun(MessageClass.REQUEST, transaction_id, attributes, key=self.remote.key)

    def _rto(self) -> float:
        """RFC 8445 §14.3: the more checks there are to pace, the longer each may take."""
        busy = self._check_list.count(PairState.WAITING, PairState.IN_PROGRESS)
        return max(self._timing.first_rto, self._timing.pacing * busy)

    def _transmit(self, transaction: Transaction) -> None:
        transaction.pair.requests_sent += 1
        transaction.pair.unanswered_transmissions += 1
        self._to_send.append(Datagram(transaction.request, transaction.path))

    def _succeed(
        self, transaction: Transaction, mapped: Address, now: float, own_candidates: Mapping[Address, Candidate]
    ) -> None:
        pair = transaction.pair
        if pair.state is not PairState.SUCCEEDED:
            round_trip = f", after {(now - transaction.sent_at) * 1000:.0f} ms"
            self._check_list.notes.add(f"{pair.path} works: the far end has answered{round_trip}, and sees {mapped}")
        self._check_list.unfreeze(pair.foundation)
        pair.local = own_candidates.get(mapped) or _peer_reflexive(pair, mapped)
        if not transaction.retransmitted:
            pair.current_round_trip_time = now - transaction.sent_at
        self._transactions.abandon(pair)
        pair.succeed(now)
        if transaction.nominating and self._role.controlling:  # a role conflict may have taken that right away
            pair.nominated_at = now  # RFC 8445 §7.2.5.3.4
            self._check_list.notes.add(f"{pair.path} is nominated, by us")

    def _resolve_conflict(self, transaction: Transaction, now: float) -> None:
        """RFC 8445 §7.2.5.1: take the other role and try again; a valid pair stays valid."""
        self._role.yield_after(transaction.controlling)
        self._check_list.notes.add(f"a conflict of roles: we are {self._role} from now on")
        if transaction.pair.state is not PairState.SUCCEEDED:
            self.trigger(transaction.pair, now)

    def _finish(self, transaction: Transaction) -> None:
        self._transactions.remove(transaction)
        if transaction.nominating:
            transaction.pair.nominating = False

    def _fail(self, transaction: Transaction, why: str) -> None:
        """The check has had no answer, or a refusal."""
        pair = transaction.pair
        has_answered_since = pair.granted_at is not None and pair.granted_at > transaction.sent_at
        if transaction.is_current and pair.state is PairState.IN_PROGRESS:
            pair.state = PairState.FAILED
            self._check_list.notes.add(f"{pair.path} has failed: {why}, after {pair.requests_sent} requests")
        elif transaction.nominating and self._role.controlling and not has_answered_since:
            # A pair that cannot be nominated is of no use, RFC 8445 §8.1.1: the next best valid one gets its turn.
            pair.state = PairState.FAILED
            self._check_list.notes.add(f"{pair.path} cannot be nominated: {why}")


def _peer_reflexive(pair: CandidatePair, mapped: Address) -> Candidate:
    """The peer sees an unknown address: a translator is on the way, RFC 8445 §7.2.5.3.1."""
    base = pair.path.local
    return replace(
        pair.local,
        foundation=candidate_foundation("prflx", base.host),
        type="prflx",
        priority=pair.reflexive_priority,
        address=mapped.host,
        port=mapped.port,
        related_address=base.host,
        related_port=base.port,
    )
