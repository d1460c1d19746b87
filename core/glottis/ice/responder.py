"""The server's side of connectivity checks: authenticate a request and answer it, RFC 8445 §7.3.

Nothing here answers a stranger, and no answer is longer than its request.
"""

import math
from collections.abc import Mapping
from typing import Final

from glottis.ice.check_list import CheckList
from glottis.ice.checker import ROLE_CONFLICT, Checker
from glottis.ice.credentials import Credentials
from glottis.ice.pair import CandidatePair
from glottis.ice.role import Role
from glottis.ice.timing import IceTiming
from glottis.sdp.candidate import Candidate, candidate_foundation
from glottis.wire.address import Address, Datagram, Path
from glottis.wire.stun import (
    Attribute,
    MessageClass,
    StunMessage,
    build_stun,
    encode_error_code,
    encode_unknown_attributes,
    encode_xor_address,
)
from glottis.wire.token_bucket import TokenBucket

BAD_REQUEST: Final = 400
UNKNOWN_ATTRIBUTE: Final = 420

CHECKS_PER_SECOND: Final = 100
CHECKS_AT_ONCE: Final = 100
"""Checks of the peer that are answered. The agents of browsers make twenty in a second, libnice fifty (Ta of RFC 8445
§14.2); each costs us an answer, and perhaps a check of our own."""
MAX_REMEMBERED_CHECKS: Final = 512
"""Of which a lite agent knows by what path they came: at a browser's pace, those of more than ten minutes."""
MAX_TRANSMISSIONS: Final = 7
"""Of one check (Rc of RFC 8489 §6.2.1). Who repeats a transaction id more often has only that one."""


class Responder:
    """Answers the peer's checks, and lets them act on the check list."""

    def __init__(
        self, check_list: CheckList, checker: Checker, role: Role, local: Credentials, timing: IceTiming
    ) -> None:
        self._check_list = check_list
        self._checker = checker
        self._role = role
        self._local = local
        self._consent_lifetime = timing.consent_lifetime
        self._silence = timing.silence
        self.only_ufrag: str | None = None
        """Of the peer, once there is another generation: those of other ufrags are none of ours then."""
        self._seen: dict[bytes, tuple[Path, int]] = {}
        """By transaction id, oldest first: the path that it first came by, and how often it came by that."""
        self._to_send: list[Datagram] = []
        self._answers = TokenBucket(CHECKS_PER_SECOND, CHECKS_AT_ONCE, now=0.0)
        self._stranger_is_noted = False

    def datagrams_to_send(self) -> list[Datagram]:
        """Return and empty the answers."""
        datagrams, self._to_send = self._to_send, []
        return datagrams

    def stop(self) -> None:
        """Send nothing any more."""
        self._to_send.clear()

    def accept_check(
        self, check: StunMessage, path: Path, now: float, own_candidates: Mapping[Address, Candidate]
    ) -> bool:
        """Answer a Binding request that came by ``path``; says whether it was the peer's. May switch the role.

        What comes too often is dropped, and so are strangers' checks: RFC 8489 §9.1.3 has 400 and 401 for them, but
        silence reflects and tells nothing.
        """
        if not _is_authentic(check, self._local):
            self._note_stranger(path)
            return False
        if _is_of_another_generation(check, self.only_ufrag):
            return False
        if self._answers.take(now) > 0:
            return False
        refusal = self._refusal(check)
        if refusal is not None:
            self._respond(check, path, MessageClass.ERROR, refusal)
            return True
        mapped = (Attribute.XOR_MAPPED_ADDRESS, encode_xor_address(path.remote, check.transaction_id))
        self._respond(check, path, MessageClass.SUCCESS, [mapped])
        if self._role.lite and self._is_copy(check, path):
            return True
        pair = self._check_list.get(path) or self._learn_pair(check, path, now, own_candidates)
        if pair is not None:
            self._use(check, pair, now)
        return True

    def _is_copy(self, check: StunMessage, path: Path) -> bool:
        """Whether it has come before, by another path that is known better.

        Nothing in a check says where it was sent from. Who overhears one can send it from elsewhere, and would get the
        media there from a lite agent, which asks for no other proof.
        """
        first, times = self._seen.get(check.transaction_id, (path, 0))
        self._seen[check.transaction_id] = first, times + (path == first)
        if len(self._seen) > MAX_REMEMBERED_CHECKS:
            del self._seen[next(iter(self._seen))]
        if path == first or times > MAX_TRANSMISSIONS:
            return False
        was_left = self._check_list.get(first) is None  # what was overheard there may come again at any time
        return was_left or self._checks_by(first) > self._checks_by(path)

    def _note_stranger(self, path: Path) -> None:
        """Once, for anybody can bring it about."""
        if not self._stranger_is_noted:
            self._stranger_is_noted = True
            self._check_list.notes.add(
                f"a check on {path} is not signed with our password: it is ignored, as are others"
            )

    def _checks_by(self, path: Path) -> int:
        pair = self._check_list.get(path)
        return pair.requests_received if pair is not None else 0

    def _refusal(self, check: StunMessage) -> list[tuple[int, bytes]] | None:
        """The attributes of the error response, if the check deserves one."""
        if check.unknown_attributes:
            unknown = encode_unknown_attributes(check.unknown_attributes)
            return [_error(UNKNOWN_ATTRIBUTE), (Attribute.UNKNOWN_ATTRIBUTES, unknown)]
        if check.priority is None or (check.ice_controlling is not None and check.ice_controlled is not None):
            return [_error(BAD_REQUEST)]
        return None if self._role.agrees_with(check) else [_error(ROLE_CONFLICT)]

    def _respond(
        self, check: StunMessage, path: Path, message_class: MessageClass, attributes: list[tuple[int, bytes]]
    ) -> None:
        response = build_stun(message_class, check.transaction_id, attributes, key=self._local.key)
        self._to_send.append(Datagram(response, path))

    def _learn_pair(
        self, check: StunMessage, path: Path, now: float, own_candidates: Mapping[Address, Candidate]
    ) -> CandidatePair | None:
        """A pair with a peer-reflexive remote candidate, RFC 8445 §7.3.1.3; None while all places are in lively use."""
        assert check.priority is not None
        self._check_list.retire(heard_before=now - self._consent_lifetime)
        pair = CandidatePair(path, own_candidates[path.local], _peer_reflexive(path, check.priority))
        return pair if self._check_list.add_proven(pair, silent_since=now - self._silence) else None

    def _use(self, check: StunMessage, pair: CandidatePair, now: float) -> None:
        """RFC 8445 §7.3.1.4 and §7.3.1.5; a lite agent believes the check itself, §7.3.2."""
        pair.requests_received += 1
        if pair.requests_received == 1:
            self._check_list.notes.add(f"{pair.path} is checked by the far end, as a pair with {pair.remote}")
        pair.heard_at = now
        self._check_list.retire(heard_before=now - self._consent_lifetime)
        if self._role.lite:
            pair.succeed(now)
        elif not pair.has_consent(now, self._consent_lifetime):
            self._checker.trigger(pair, now)
        elif not pair.has_consent(now, self._consent_lifetime / 2):
            # Who asks is likely to answer: keep a second path ready, and a lossy one from losing consent by bad luck.
            self._checker.ask_consent(pair, now)
        is_news = not (pair.selected and pair.nominated)  # some agents repeat the nomination in each check
        if check.use_candidate and not self._role.controlling and is_news:
            if pair.nominated_at == -math.inf:
                self._check_list.notes.add(f"{pair.path} is nominated, by the far end")
            pair.nominated_at = now


def _is_authentic(check: StunMessage, local: Credentials) -> bool:
    """Our ufrag first in USERNAME, and signed with our password."""
    username = check.username
    return username is not None and username.startswith(local.ufrag.encode() + b":") and check.is_signed_with(local.key)


def _error(code: int) -> tuple[int, bytes]:
    return Attribute.ERROR_CODE, encode_error_code(code)


def _is_of_another_generation(check: StunMessage, ufrag: str | None) -> bool:
    """Whether a peer that restarts has sent it before it knew our new ufrag (RFC 8445 §9), from new sockets.

    They refuse the old generation's checks. If theirs were answered, Chromium would stay with them for ever.
    """
    return ufrag is not None and check.username is not None and check.username.partition(b":")[2] != ufrag.encode()


def _peer_reflexive(path: Path, priority: int) -> Candidate:
    """A remote candidate known by nothing but a check from it; its foundation is like no other, RFC 8445 §7.3.1.3."""
    source, transport = path.remote, "tcp" if path.transport == "tcp" else "udp"
    foundation = candidate_foundation("prflx", f"{source.host} {source.port}", transport)
    return Candidate(foundation, 1, transport, priority, source.host, source.port, "prflx")
