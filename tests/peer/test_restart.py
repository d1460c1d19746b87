"""ICE restarts in the middle of a call (RFC 8445 §9): DTLS, SRTP and what is said go on."""

import re

import pytest
from glottis.ice import IceState, IceTiming
from glottis.peer import ConnectionState, ConnectionStateChanged, PeerSettings
from glottis.sdp import AnswerRefused, OfferRefused
from glottis.testing.impairments import Impairments
from glottis.testing.peers import CALLER, GATEWAY, VirtualCall
from glottis.wire.address import Address, Path
from glottis.wire.demux import is_stun_request
from msgspec.structs import replace
from support.installed import installed_plugins

PCMU = installed_plugins().codecs.find("PCMU").spec
ELSEWHERE = Address("203.0.113.77", 4001)
SETTINGS = PeerSettings((PCMU,), sample_rate=8000, max_message_size=None)
TONE = b"\x10\x20" * 8000


class RestartedCall:
    """Has been going on for a while, with audio both ways."""

    def __init__(
        self, *, seed: int = 0, loss: float = 0.0, lite: bool = False, caller: PeerSettings = SETTINGS
    ) -> None:
        gateway = PeerSettings((PCMU,), sample_rate=8000, max_message_size=None, ice_lite=lite)
        self.call = call = VirtualCall(
            (PCMU,),
            seed=seed,
            impairments=Impairments(loss=loss, delay=0.02, jitter=0.005),
            caller_settings=caller,
            gateway_settings=gateway,
        )
        assert call.connect()
        self.network = call.network
        self.caller, self.gateway = call.caller.connection, call.gateway.connection
        for peer in (call.caller, call.gateway):
            peer.start_media(self.now)
            peer.connection.voice.write(TONE * 300)
        self.run(0.3)

    @property
    def now(self) -> float:
        return self.network.now

    def run(self, seconds: float) -> None:
        self.network.run(seconds=seconds)

    def move(self) -> None:
        """The caller's network is another one, and nothing comes by the old one."""
        self.network.unreachable |= {CALLER}
        self.network.attach(self.call.caller, ELSEWHERE)
        self.caller.transport.ice.add_local_candidate(ELSEWHERE)

    def offer(self) -> str:
        return self.caller.make_restart_offer(self.now)

    def answer(self, offer: str) -> str:
        return self.gateway.accept_offer_untrusted(offer, self.now)

    def restart(self) -> None:
        self.caller.accept_answer_untrusted(self.answer(self.offer()), self.now)

    def is_restarted(self) -> bool:
        """Whether both have done with the old generation."""
        return all(len(peer.local_ufrags) == 1 for peer in (self.caller, self.gateway))

    def delay_until_heard(self, address: Address, packets: int = 5) -> float:
        """Seconds until so many packets of audio have come there."""
        start = self.now
        self.network.delivered.clear()

        def arrived() -> int:
            return sum(one.data[0] > 127 and one.path.remote == address for one in self.network.delivered)

        assert self.network.run(lambda: arrived() >= packets, seconds=20)
        return self.now - start

    def largest_gap(self, address: Address, seconds: float) -> float:
        """Seconds without audio at this address, at the most, within the next ones."""
        moments = [self.now]
        end = self.now + seconds
        while self.now < end:
            self.network.delivered.clear()
            self.run(0.02)
            if any(one.data[0] > 127 and one.path.remote == address for one in self.network.delivered):
                moments.append(self.now)
        return max(later - earlier for earlier, later in zip(moments, [*moments[1:], self.now], strict=True))

    def states(self) -> list[ConnectionState]:
        return [event.state for event in self.call.gateway.events if isinstance(event, ConnectionStateChanged)]


def attribute(name: str, sdp: str) -> str:
    found = re.search(rf"a={name}:(\S+)", sdp)
    assert found is not None
    return found[1]


def renamed(offer: str, **values: str) -> str:
    for name, value in values.items():
        offer = re.sub(rf"a={name.replace('_', '-')}:\S+", f"a={name.replace('_', '-')}:{value}", offer)
    return offer


# What goes on


@pytest.mark.parametrize("lite", [False, True])
def test_a_restart_on_the_same_network_costs_no_audio(lite: bool) -> None:
    call = RestartedCall(lite=lite)
    keys = call.gateway.transport.dtls
    offer = call.offer()
    answer = call.answer(offer)
    call.caller.accept_answer_untrusted(answer, call.now)
    assert call.largest_gap(CALLER, 3) <= 0.1
    assert call.largest_gap(GATEWAY, 1) <= 0.1
    assert call.is_restarted()
    assert call.gateway.transport.dtls is keys
    assert call.states() == [ConnectionState.CONNECTING, ConnectionState.CONNECTED]
    assert call.gateway.local_ufrags[0] == attribute("ice-ufrag", answer)
    assert f" ufrag {attribute('ice-ufrag', answer)}" in answer


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_who_has_another_network_is_heard_and_hears_within_a_second_of_its_restart(seed: int) -> None:
    call = RestartedCall(seed=seed, loss=0.02)
    call.move()
    call.run(3)
    call.restart()
    assert call.delay_until_heard(ELSEWHERE) < 1
    assert call.network.run(call.is_restarted, seconds=5)
    assert call.gateway.transport.ice.selected_path == Path(GATEWAY, ELSEWHERE)
    assert call.gateway.voice.session.heard_at is not None
    assert call.now - call.gateway.voice.session.heard_at < 0.5


@pytest.mark.parametrize("seconds", [1, 3])
def test_who_has_another_network_hears_there_before_it_decides_for_it(seconds: float) -> None:
    """Chromium takes a second for that. Here its media still comes by the old one, to which there is no way back."""
    call = RestartedCall(caller=replace(SETTINGS, ice_timing=IceTiming(settle=3.0)))
    call.move()
    call.run(seconds)
    call.restart()
    assert call.delay_until_heard(ELSEWHERE) < 1
    assert not call.is_restarted()


@pytest.mark.slow
def test_loss_hardly_delays_who_comes_back_by_another_network() -> None:
    """The round trip of the path before tells how soon to repeat a check: half a second each would be too long."""
    delays = []
    for seed in range(10):
        call = RestartedCall(seed=seed, loss=0.1)
        call.move()
        call.run(1)
        call.restart()
        delays.append(call.delay_until_heard(ELSEWHERE))
    assert sorted(delays)[8] < 1


@pytest.mark.slow
def test_a_call_whose_consent_has_expired_comes_back_by_a_restart() -> None:
    call = RestartedCall()
    call.move()
    call.run(40)
    assert (call.caller.state, call.gateway.state) == (ConnectionState.FAILED, ConnectionState.FAILED)
    assert call.gateway.transport.can_restart
    call.restart()
    assert call.delay_until_heard(ELSEWHERE) < 1
    assert call.states()[-3:] == [ConnectionState.FAILED, ConnectionState.CONNECTING, ConnectionState.CONNECTED]


@pytest.mark.slow
def test_the_old_generation_is_answered_until_the_new_one_is_nominated() -> None:
    call = RestartedCall()
    old = call.gateway.local_ufrags[0]
    answer = call.answer(call.offer())  # which does not arrive
    call.network.delivered.clear()
    call.run(8)
    names = [one.data for one in call.network.delivered if is_stun_request(one.data) and one.path.remote == GATEWAY]
    assert names
    assert all(old.encode() in name for name in names)
    assert call.gateway.state is call.caller.state is ConnectionState.CONNECTED
    assert call.gateway.local_ufrags == (attribute("ice-ufrag", answer), old)
    assert call.largest_gap(CALLER, 1) <= 0.1
    call.caller.accept_answer_untrusted(answer, call.now)
    assert call.network.run(call.is_restarted, seconds=5)
    assert old not in call.gateway.local_ufrags


# What may go wrong


def test_after_a_lost_answer_another_restart_does_it() -> None:
    call = RestartedCall()
    call.answer(call.offer())
    call.run(1)
    call.move()
    call.restart()
    assert call.delay_until_heard(ELSEWHERE) < 1
    assert call.network.run(call.is_restarted, seconds=5)


def test_after_a_lost_answer_a_plain_offer_is_enough() -> None:
    call = RestartedCall()
    call.answer(call.offer())
    call.run(1)
    call.caller.accept_answer_untrusted(call.answer(call.caller.make_offer()), call.now)
    assert call.network.run(call.is_restarted, seconds=5)
    assert call.largest_gap(CALLER, 1) <= 0.1


def test_two_restarts_at_once_keep_what_works_until_the_second_does() -> None:
    call = RestartedCall()
    old = call.gateway.local_ufrags[0]
    call.restart()
    call.restart()
    assert call.gateway.local_ufrags[1:] == (old,)
    assert call.largest_gap(CALLER, 2) <= 0.1
    assert call.is_restarted()


def test_a_restart_while_the_first_checks_are_under_way_connects() -> None:
    call = VirtualCall((PCMU,), impairments=Impairments(delay=0.05))
    call.negotiate()
    call.network.run(seconds=0.06)
    offer = call.caller.connection.make_restart_offer(call.network.now)
    answer = call.gateway.connection.accept_offer_untrusted(offer, call.network.now)
    call.caller.connection.accept_answer_untrusted(answer, call.network.now)
    assert call.network.run(lambda: call.caller.connected and call.gateway.connected, seconds=5)


def test_a_conflict_of_roles_is_settled_in_a_restart_too() -> None:
    call = RestartedCall()
    call.gateway.transport.ice.take_control()
    assert call.caller.transport.ice.controlling
    call.restart()
    assert call.network.run(call.is_restarted, seconds=5)
    assert call.caller.transport.ice.controlling is not call.gateway.transport.ice.controlling


def test_candidates_of_the_old_generation_are_dropped_and_those_of_the_new_one_checked() -> None:
    call = RestartedCall()
    old = call.caller.local_ufrags[0]
    call.answer(call.offer())
    new = call.caller.local_ufrags[0]
    before = call.gateway.transport.ice.ignored_candidates
    for ufrag, port in ((old, 5001), (new, 5002)):
        text = f"candidate:1 1 udp 2130706431 203.0.113.9 {port} typ host ufrag {ufrag}"
        call.gateway.remote_candidates.add_untrusted(
            text, mid="0", media_index=0, username_fragment=ufrag, now=call.now
        )
    assert call.gateway.transport.ice.ignored_candidates == before + 1
    ports = {pair.path.remote.port for pair in call.gateway.transport.ice.pairs()}
    assert 5002 in ports
    assert 5001 not in ports


def test_candidates_that_overtake_the_offer_of_their_restart_are_checked() -> None:
    call = RestartedCall()
    offer = call.offer()
    before = call.gateway.transport.ice.ignored_candidates
    for ufrag in (attribute("ice-ufrag", offer), "of-no-offer"):
        call.gateway.remote_candidates.add_untrusted(
            "candidate:1 1 udp 2130706431 203.0.113.9 5002 typ host",
            mid="0",
            media_index=0,
            username_fragment=ufrag,
            now=call.now,
        )
    assert call.gateway.transport.ice.ignored_candidates == before
    call.answer(offer)
    assert 5002 in {pair.path.remote.port for pair in call.gateway.transport.ice.pairs()}
    assert call.gateway.transport.ice.ignored_candidates == before + 1


@pytest.mark.slow
def test_many_restarts_leave_two_names_and_no_paths_behind() -> None:
    call = RestartedCall()
    for _ in range(50):
        call.answer(call.offer())
        assert len(call.gateway.local_ufrags) == 2
        call.run(0.1)
    call.caller.accept_answer_untrusted(call.answer(call.offer()), call.now)
    assert call.network.run(call.is_restarted, seconds=5)
    assert len(call.gateway.transport.ice.pairs()) <= 2


@pytest.mark.slow
def test_a_new_generation_that_finds_no_way_takes_none_from_the_old_one() -> None:
    call = RestartedCall()
    offer = renamed(call.offer(), ice_ufrag="nobody", ice_pwd="x" * 24)
    call.answer(
        re.sub(r"a=candidate.*\r\n", "", offer) + "a=candidate:1 1 udp 2130706431 203.0.113.9 5000 typ host\r\n"
    )
    call.run(20)
    assert call.gateway.transport.ice.state in (IceState.CONNECTED, IceState.COMPLETED)
    assert call.largest_gap(CALLER, 1) <= 0.1


# What is refused, and changes nothing


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ice_ufrag": "another"}, "ICE_CREDENTIALS_MIXED"),
        ({"ice_pwd": "another" * 4}, "ICE_CREDENTIALS_MIXED"),
        ({"fingerprint": "sha-256 " + ":".join(["AB"] * 32)}, "DTLS_RESTART_UNSUPPORTED"),
        ({"setup": "passive"}, "DTLS_RESTART_UNSUPPORTED"),
        ({"mid": "other"}, "SECTIONS_CHANGED"),
    ],
)
def test_an_offer_that_asks_for_what_cannot_be_is_refused_by_name(changes: dict[str, str], code: str) -> None:
    call = RestartedCall()
    offer = call.caller.make_offer()
    if "fingerprint" in changes:
        offer = re.sub(r"a=fingerprint:.*\r\n", f"a=fingerprint:{changes.pop('fingerprint')}\r\n", offer)
    with pytest.raises(OfferRefused) as refusal:
        call.answer(renamed(offer, **changes).replace("BUNDLE 0", f"BUNDLE {changes.get('mid', '0')}"))
    assert refusal.value.code == code
    assert len(call.gateway.local_ufrags) == 1
    assert call.largest_gap(CALLER, 0.5) <= 0.1


def test_a_refused_restart_is_none() -> None:
    call = RestartedCall()
    offer = re.sub(r"a=fingerprint:.*\r\n", f"a=fingerprint:sha-256 {':'.join(['AB'] * 32)}\r\n", call.offer())
    before = call.gateway.local_ufrags
    with pytest.raises(OfferRefused):
        call.answer(offer)
    assert call.gateway.local_ufrags == before


@pytest.mark.parametrize("restarts", [False, True])
def test_an_answer_that_restarts_otherwise_than_its_offer_is_refused(restarts: bool) -> None:
    call = RestartedCall()
    password = call.gateway.transport.ice.local_pwd
    answer = call.answer(call.offer() if restarts else call.caller.make_offer())
    mixed = renamed(answer, ice_pwd=password) if restarts else renamed(answer, ice_ufrag="another")
    with pytest.raises(AnswerRefused, match="both"):
        call.caller.accept_answer_untrusted(mixed, call.now)


# Who is gone


def test_who_sends_nothing_any_more_is_told_as_disconnected_after_two_seconds() -> None:
    call = RestartedCall()
    call.network.unreachable |= {GATEWAY}
    start = call.now
    assert call.network.run(lambda: call.gateway.state is ConnectionState.DISCONNECTED, seconds=5)
    assert 1.9 < call.now - start <= 2.1


def test_who_has_said_goodbye_to_its_stream_and_is_gone_is_told_so_by_name_after_a_second() -> None:
    call = RestartedCall()
    call.caller.voice.session.close(call.now)
    call.run(0.03)
    start = call.now
    call.network.unreachable |= {GATEWAY}
    assert call.network.run(lambda: call.gateway.state is ConnectionState.DISCONNECTED, seconds=5)
    assert 0.9 < call.now - start <= 1.1
    told = [event for event in call.call.gateway.events if isinstance(event, ConnectionStateChanged)]
    assert told[-1].reason.startswith("bye")


def test_who_has_said_goodbye_to_its_stream_and_answers_is_on_hold() -> None:
    call = RestartedCall()
    call.caller.voice.session.close(call.now)
    call.run(8)
    assert call.gateway.state is ConnectionState.CONNECTED


def test_who_has_only_stopped_speaking_is_not() -> None:
    call = RestartedCall()
    call.caller.voice.flush()
    call.run(8)
    assert call.gateway.state is ConnectionState.CONNECTED
