"""The ICE agent of one component, full or lite: RFC 8445, RFC 7675 consent, RFC 8838 trickle.

Sans-I/O. The agent never opens a socket and never gathers: its owner names the local addresses, and those by which
they are known elsewhere, carries the datagrams that ``datagrams_to_send`` gives, and drains events after every call
that changes something.
"""

import math
import random
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import product
from typing import Final, Literal

from glottis.contracts.errors import Malformed
from glottis.contracts.moments import earliest
from glottis.contracts.short_queue import ShortQueue
from glottis.ice.check_list import CheckList
from glottis.ice.checker import Checker
from glottis.ice.credentials import Credentials, generate_credentials
from glottis.ice.events import IceEvent, IceState, PathGivenUp, PathReleased, SelectedPathChanged, StateChanged
from glottis.ice.local_candidates import LocalCandidates
from glottis.ice.pair import CandidatePair, PairState, can_meet, make_pair
from glottis.ice.policy import DEFAULT_POLICY, ProbePolicy
from glottis.ice.remote_candidates import RemoteCandidates
from glottis.ice.responder import Responder
from glottis.ice.role import Role
from glottis.ice.selection import Selection
from glottis.ice.timing import DEFAULT_TIMING, IceTiming
from glottis.sdp.candidate import Candidate
from glottis.wire.address import Address, Datagram, Path
from glottis.wire.stun import BINDING, MessageClass, StunMessage, parse_stun_untrusted

_FINAL: Final = (IceState.FAILED, IceState.CLOSED)


class IceAgent:
    """One ICE session with one peer. ``rng`` must be unpredictable in production: ``random.SystemRandom()``."""

    def __init__(
        self,
        *,
        controlling: bool,
        rng: random.Random,
        lite: bool = False,
        policy: ProbePolicy = DEFAULT_POLICY,
        timing: IceTiming = DEFAULT_TIMING,
        credentials: Credentials | None = None,
        role: Role | None = None,
        local: LocalCandidates | None = None,
    ) -> None:
        self.state = IceState.NEW
        self.reason = ""
        """Why, for a state that does not say enough by itself."""
        self.lite = lite
        self.dropped_datagrams = 0
        """Those that were no valid STUN of the peer."""
        self._rng = rng
        self._credentials = credentials or generate_credentials(rng)
        self._role = role or Role(controlling=controlling and not lite, tie_breaker=rng.getrandbits(64), lite=lite)
        self._policy = policy
        self._timing = timing
        self._local = local if local is not None else LocalCandidates(self._credentials.ufrag)
        self._check_list = CheckList(self._role)
        self._notes = self._check_list.notes
        self._remote = RemoteCandidates(partial(self._local.can_pair, policy), self._notes)
        self._checker = Checker(self._check_list, self._role, self._credentials, timing, rng)
        self._responder = Responder(self._check_list, self._checker, self._role, self._credentials, timing)
        self._selection = Selection(self._check_list, self._role, timing, rng)
        self._remote_ended = False
        self._hope_at = 0.0
        self._events: ShortQueue[IceEvent] = ShortQueue()
        self._giving_up_is_told = False

    @property
    def local_ufrag(self) -> str:
        """For ``a=ice-ufrag``, and the name that the peer's checks are addressed to."""
        return self._credentials.ufrag

    @property
    def local_pwd(self) -> str:
        """For ``a=ice-pwd``; a secret of this session."""
        return self._credentials.password

    @property
    def controlling(self) -> bool:
        """The present role; a conflict may change it."""
        return self._role.controlling

    @property
    def local_candidates(self) -> tuple[Candidate, ...]:
        """Those to tell the peer, in order of preference: sockets, what they are seen as elsewhere, and TCP."""
        return (*self._local.announced.values(), *self._local.announced_streams.values())

    @property
    def remote_candidates(self) -> tuple[Candidate, ...]:
        """Those that the peer has signalled, as far as any agent could use them."""
        return self._remote.known

    @property
    def ignored_candidates(self) -> int:
        """How many remote candidates are unusable, of another generation, or too many."""
        return self._remote.ignored

    @property
    def paths_given_up(self) -> int:
        """How many paths that the peer had used lately have given way to others."""
        return self._check_list.paths_given_up

    @property
    def selected_path(self) -> Path | None:
        """Where to send data now: the nominated pair, else the best valid one, else where the first check came from."""
        return None if self.state in _FINAL else self._selection.path

    @property
    def selected_pair(self) -> CandidatePair | None:
        """The valid pair that data goes by, with its counters for statistics; none before a check has succeeded."""
        return self._selection.pair

    def pairs(self) -> tuple[CandidatePair, ...]:
        """All candidate pairs, for statistics."""
        return tuple(self._check_list)

    def successor(self, credentials: Credentials, *, same_peer: bool = True) -> "IceAgent":
        """The agent of the next generation (RFC 8445 §9), which shares the role, so that conflicts are repaired for
        both; this one serves its own from now on. Or one that another peer offers to. Local candidates are the same."""
        if same_peer:
            self._responder.only_ufrag = self._remote.ufrag
        return IceAgent(
            controlling=False,
            rng=self._rng,
            lite=self.lite,
            policy=self._policy,
            timing=self._timing.after(self.selected_pair),
            credentials=credentials,
            role=self._role if same_peer else None,
            local=self._local.successor(credentials.ufrag),
        )

    def reopen(self, now: float) -> None:
        """The peer may go on by other sockets: its next candidates are checked, although a pair is nominated."""
        self._remote.forget()
        self._remote_ended, self._hope_at = False, now
        self._checker.reopen(self._selection.unsettle())

    def awaits(self, transaction_id: bytes) -> bool:
        """Whether a response to this check of ours may come."""
        return self._checker.awaits(transaction_id)

    def take_control(self) -> None:
        """Before the peer's parameters are known: we have the controlling role, unless lite (RFC 8445 §6.1.1)."""
        self._role.controlling = not self.lite

    def can_pair(self, candidate: Candidate) -> bool:
        """Whether there is a local candidate that may check this remote one, as things are now."""
        return self._local.can_pair(self._policy, candidate)

    def add_local_candidate(self, address: Address, *, announced: Sequence[Address] | None = None) -> Candidate:
        """A host candidate on one of the owner's sockets, most preferred first; returns it as a base.

        ``announced`` are the addresses that a translator or a container's host maps to it, as they are told the peer in
        its place: none, itself, or others.
        """
        if (known := self._local.bases.get(address)) is not None:
            return known
        return self._use_base(self._local.add_host(address, [address] if announced is None else announced))

    def add_stream_candidate(
        self, address: Address, tcp_type: Literal["active", "passive"], *, announced: Sequence[Address]
    ) -> Candidate:
        """A host candidate over TCP (RFC 6544), by which the owner connects or is connected to; returns it as a base.

        ``announced`` are the addresses that the peer is told. An active one may have any port, and no peer is told of
        it: to a passive one it means nothing.
        """
        return self._local.streams.get(address) or self._use_base(self._local.add_stream(address, tcp_type, announced))

    def add_reflexive_candidate(self, address: Address, *, base: Address, server: str) -> Candidate | None:
        """What ``server`` has seen of the local candidate ``base``; returns what to tell the peer.

        None if it is redundant (RFC 8445 §5.1.3). It makes no pairs: they would be those of its base (§6.1.2.4).
        """
        if base not in self._local.bases or self._local.knows(address) or self.lite:
            return None  # RFC 8445 §5.2: a lite agent has host candidates only
        return self._local.add_reflexive(address, base=base, server=server)

    def add_relayed_candidate(self, address: Address, *, mapped: Address | None, server: str) -> Candidate | None:
        """What a TURN server lends, and is its own base; returns what to tell the peer.

        ``mapped`` is what the server has seen of the gateway. None if the candidate is redundant.
        """
        if self._local.knows(address) or self.lite:
            return None
        return self._use_base(self._local.add_relayed(address, mapped=mapped, server=server))

    def remove_relayed_candidate(self, address: Address, now: float) -> None:
        """Its server is lost: data takes another path of the peer's at once, which is checked if that was long ago.

        Without one an agent that was connected fails; one that was not yet waits for candidates to come.
        """
        if not self._local.remove(address) or self.state in _FINAL:
            return
        self._check_list.drop_base(address)
        for pair in self._selection.dormant(now):
            self._checker.trigger(pair, now)
        is_hopeful = any(pair.state is not PairState.FAILED for pair in self._check_list)
        self._hope_at = now if is_hopeful or self._selection.pair is None else -math.inf
        self._conclude(now)

    def _use_base(self, candidate: Candidate) -> Candidate:
        self._remote.reconsider()
        self._form_pairs([candidate], self._remote)
        return candidate

    def set_remote_parameters(self, ufrag: str, pwd: str, *, lite: bool = False, now: float) -> None:
        """The peer's credentials, validated by the SDP parser. Checks that came before are answered now."""
        if self.state in _FINAL:
            return
        if lite and not self.lite:
            self._role.controlling = True  # RFC 8445 §6.1.1, whatever was offered
        self._notes.add(f"the far end is known, ufrag {ufrag}; ours is {self.local_ufrag}, and we are {self._role}")
        self._remote.set_generation(ufrag)
        if not self.lite:
            self._checker.remote = Credentials(ufrag, pwd)
        self._hope_at = now
        self._form_pairs(self._local.all_bases, self._remote)
        self._conclude(now)

    def add_remote_candidates(self, candidates: Iterable[Candidate], now: float) -> None:
        """Signalled ones, also before the peer's parameters; those that are unusable are ignored and counted."""
        if self.state in _FINAL:
            return
        for candidate in candidates:
            is_first = not self._remote.signalled
            if is_new := self._remote.admit(candidate):
                self._form_pairs(self._local.all_bases, [candidate])
            if is_first or is_new:
                self._hope_at = now
        self._conclude(now)

    def ignore_candidates(self, count: int, now: float) -> None:
        """The peer has signalled so many that could not be read; they are counted, and it is waited for others."""
        if self.state in _FINAL or not count:
            return
        if not self._remote.signalled:
            self._hope_at = now
        self._remote.ignore(count)
        self._conclude(now)

    def end_of_candidates(self, now: float) -> None:
        """The peer will signal no more candidates of this generation; again and again is no error."""
        if not self._remote_ended:
            self._remote_ended = True
            self._notes.add("the far end has no more candidates")
            self._hope_at = now
            self._conclude(now)

    def is_authenticated(self, path: Path) -> bool:
        """Whether the peer has proved to be at the end of this path: the owner's filter before DTLS and SRTP."""
        pair = self._check_list.get(path)
        return pair is not None and pair.is_authenticated and self.state not in _FINAL

    def handle_traffic(self, path: Path, now: float) -> bool:
        """Authenticated media came by ``path``: a sign of life there, though no consent (RFC 7675 §5.1).

        Says whether it has made a difference, so that the owner has something to drain.
        """
        selected = self._selection.pair
        if selected is not None and path == selected.path and self.state not in _FINAL:  # nearly always
            selected.heard_at = selected.media_at = now
            return False
        pair = self._check_list.get(path)
        if pair is None or not pair.is_authenticated or self.state in _FINAL:
            return False
        pair.heard_at = pair.media_at = now
        if (doubtful := self._selection.doubt(now)) is not None and not self.lite:
            self._checker.ask_quickly(doubtful, now)
        self._conclude(now)
        return True

    def handle_goodbye(self, now: float) -> None:
        """The peer may have left, as it has said elsewhere; it is asked at once."""
        if self.state not in _FINAL:
            self._selection.handle_goodbye(self._checker, now)

    def handle_datagram(self, data: bytes, path: Path, now: float) -> None:
        """A STUN datagram that came by ``path``; anything but valid STUN of the peer is dropped and counted."""
        if self.state in _FINAL:
            return
        before = self._check_list.authentication(path)
        message = self._read(data, path)
        if message is None or not self._accept(message, path, now):
            self.dropped_datagrams += 1
            return
        authentication = self._check_list.authentication(path)
        if authentication is not None and authentication != before:
            self._hope_at = now
            self._events.append(authentication)
        self._conclude(now)

    def handle_timeout(self, now: float) -> None:
        """Do what is due. Early calls do no harm."""
        if self.state in _FINAL:
            return
        self._checker.handle_timeout(now)
        if self._selection.consent is not None:
            self._selection.consent.ask(self._checker, now)
        self._conclude(now)

    def next_timeout(self) -> float | None:
        """When ``handle_timeout`` wants to be called."""
        if self.state in _FINAL:
            return None
        selection = self._selection.next_timeout(silent=self.state is IceState.DISCONNECTED)
        give_up_at = self._give_up_at if self._selection.pair is None else None
        return earliest(self._checker.next_timeout(), selection, give_up_at)

    def datagrams_to_send(self) -> list[Datagram]:
        """Return and empty what is to be sent: a few per call of the owner, who drains after each."""
        return self._responder.datagrams_to_send() + self._checker.datagrams_to_send()

    def next_event(self) -> IceEvent | None:
        """The next event, oldest first; a path is released before it can be authenticated anew."""
        if self._notes:
            return self._notes.pop()
        if self._check_list.released:
            return PathReleased(self._check_list.released.pop(0))
        if not self._giving_up_is_told and self._check_list.paths_given_up:
            self._giving_up_is_told = True
            return PathGivenUp()
        return self._events.popleft() if self._events else None

    def close(self) -> None:
        """Be silent for ever."""
        self._enter(IceState.CLOSED)

    def _read(self, data: bytes, path: Path) -> StunMessage | None:
        """RFC 8445 §7 requires FINGERPRINT; a local address that is no candidate gets no answer."""
        if path.local not in self._local.bases_of(path.transport):
            return None
        try:
            message = parse_stun_untrusted(data)
        except Malformed:
            return None
        return message if message.method == BINDING and message.has_fingerprint else None

    def _accept(self, message: StunMessage, path: Path, now: float) -> bool:
        if message.message_class is MessageClass.REQUEST:
            return self._responder.accept_check(message, path, now, self._local.bases_of(path.transport))
        if message.message_class is MessageClass.INDICATION:
            return True  # a keep-alive of older agents, RFC 8445 §11: neither answered nor believed
        return self._checker.accept_response(message, path, now, self._local.seen_of(path.transport))

    def _form_pairs(self, local: Iterable[Candidate], remote: Iterable[Candidate]) -> None:
        """RFC 8445 §6.1.2.2, as far as the policy lets checks go. A lite agent makes no checks."""
        if self._remote.ufrag is None or self.lite:
            return
        for ours, theirs in product(local, remote):
            if can_meet(ours, theirs) and self._policy.permits(ours.address, theirs):
                self._check_list.add(make_pair(ours, theirs))

    def _conclude(self, now: float) -> None:
        """Draw the conclusions after anything has happened; what is decided follows from what is known."""
        if self.state in _FINAL:
            return
        path_before = self._selection.path
        self._selection.update(now)
        if (nominee := self._selection.take_nominee(now)) is not None:
            self._checker.nominate(nominee, now)
        self._checker.conclude(self._selection.pair)
        if self._selection.path is not None and self._selection.path != path_before:
            self._notes.add(f"data goes by {self._selection.path}")
            self._events.append(SelectedPathChanged(self._selection.path))
        self._enter(*self._judge_state(now))

    def _judge_state(self, now: float) -> tuple[IceState, str]:
        if self._selection.pair is not None:
            return self._selection.judge(now, is_complete=self._remote_ended)
        if self._give_up_at is not None and now >= self._give_up_at:
            return IceState.FAILED, "no candidate pair has worked"
        return (IceState.NEW if self._remote.ufrag is None else IceState.CHECKING), ""

    @property
    def _give_up_at(self) -> float | None:
        """Not before the peer has given anything to wait for, or has said that it will not (RFC 8863 §4)."""
        waiting_for_hope = not self._remote.signalled and not self._remote_ended and not len(self._check_list)
        return None if waiting_for_hope or self._remote.ufrag is None else self._hope_at + self._timing.patience

    def _enter(self, state: IceState, reason: str = "") -> None:
        if state is self.state:
            return
        self.state, self.reason = state, reason
        self._notes.add(f"ICE is {state.value}: {reason}" if reason else f"ICE is {state.value}")
        self._events.append(StateChanged(state, reason))
        if state in _FINAL:
            self._responder.stop()
            self._checker.stop()
