"""What the peer's checks do, and what forged, odd and hostile ones do not."""

import random
from collections.abc import Callable
from pathlib import Path as FilePath

import pytest
from glottis.ice import Credentials, IceAgent, IceState, PairState, PathAuthenticated, PathGivenUp, PathReleased
from glottis.ice.check_list import MAX_PAIRS
from glottis.ice.responder import CHECKS_AT_ONCE, CHECKS_PER_SECOND
from glottis.wire.address import Address, Datagram, Path
from glottis.wire.stun import Attribute, MessageClass, StunMessage, build_stun, parse_stun_untrusted

GATEWAY, CALLER = Address("198.51.100.7", 50002), Address("192.0.2.1", 50001)
HERE = Path(GATEWAY, CALLER)
VECTORS = FilePath(__file__).parents[1] / "vectors" / "stun"
MakeAgent = Callable[..., IceAgent]
MakeCheck = Callable[..., bytes]


def ask(agent: IceAgent, data: bytes, path: Path = HERE, now: float = 0.0) -> StunMessage | None:
    """The agent's answer."""
    agent.handle_datagram(data, path, now)
    answers = agent.datagrams_to_send()
    assert all(answer.path == path and len(answer.data) <= len(data) for answer in answers)
    return parse_stun_untrusted(answers[0].data) if answers else None


def checks_sent(agent: IceAgent, until: float) -> list[Datagram]:
    """Let the agent's timers run without any network."""
    sent: list[Datagram] = []
    while (moment := agent.next_timeout()) is not None and moment <= until:
        agent.handle_timeout(moment)
        sent += agent.datagrams_to_send()
    return sent


def test_check_is_answered_with_the_address_that_it_came_from(make_agent: MakeAgent, make_check: MakeCheck) -> None:
    agent = make_agent()
    answer = ask(agent, make_check(agent, transaction_id=b"transaction!"))
    assert answer is not None
    assert answer.message_class is MessageClass.SUCCESS
    assert answer.transaction_id == b"transaction!"
    assert answer.xor_mapped_address == CALLER
    assert answer.is_signed_with(agent.local_pwd.encode())
    assert answer.has_fingerprint


def test_who_restarts_gets_no_answer_to_its_new_ufrag_until_it_knows_ours(
    make_agent: MakeAgent, make_check: MakeCheck
) -> None:
    agent = make_agent()
    mixed = make_check(agent, username=f"{agent.local_ufrag}:of the next generation".encode())
    assert ask(agent, mixed) is not None, "some peers write what they like before a restart"
    agent.successor(Credentials("next", "generation's own password"))
    assert ask(agent, mixed) is None
    assert ask(agent, make_check(agent)) is not None


def test_check_is_checked_back_at_once(make_agent: MakeAgent, make_check: MakeCheck) -> None:
    agent = make_agent()
    ask(agent, make_check(agent), now=3.0)
    agent.handle_timeout(3.0)
    (datagram,) = agent.datagrams_to_send()
    assert datagram.path == HERE
    triggered = parse_stun_untrusted(datagram.data)
    assert triggered.username == f"peer:{agent.local_ufrag}".encode()
    assert triggered.is_signed_with(b"the peer's password, long")
    assert triggered.ice_controlled is not None
    assert triggered.priority == 110 << 24 | 0xFFFFFF
    assert not triggered.use_candidate


def test_nomination_in_the_very_first_check_holds_when_the_check_back_succeeds(
    make_agent: MakeAgent, make_check: MakeCheck
) -> None:
    agent = make_agent()
    ask(agent, make_check(agent, use_candidate=b""))
    assert not agent.pairs()[0].nominated
    answer_to_check(agent)
    assert agent.selected_pair is not None
    assert agent.selected_pair.nominated
    assert agent.state is IceState.CONNECTED
    agent.end_of_candidates(0.0)
    assert agent.state is IceState.COMPLETED


def answer_to_check(agent: IceAgent, now: float = 0.0, path: Path = HERE, **changes: bytes) -> bytes:
    """Answer the agent's check as its peer does; returns the answer."""
    agent.handle_timeout(now)
    (datagram,) = agent.datagrams_to_send()
    answer = peers_answer(datagram.data, **changes)
    agent.handle_datagram(answer, path, now)
    return answer


def peers_answer(request: bytes, key: bytes = b"the peer's password, long") -> bytes:
    transaction_id = parse_stun_untrusted(request).transaction_id
    mapped = bytes.fromhex("0001") + (GATEWAY.port ^ 0x2112).to_bytes(2) + (0xC6336407 ^ 0x2112A442).to_bytes(4)
    return build_stun(MessageClass.SUCCESS, transaction_id, [(Attribute.XOR_MAPPED_ADDRESS, mapped)], key=key)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        (b"a stranger's password", HERE),
        (b"the peer's password, long", Path(GATEWAY, Address("203.0.113.66", 1))),
    ],
)
def test_answer_of_a_stranger_or_from_elsewhere_changes_nothing(
    make_agent: MakeAgent, make_check: MakeCheck, key: bytes, path: Path
) -> None:
    agent = make_agent()
    ask(agent, make_check(agent))
    forged = answer_to_check(agent, path=path, key=key)
    assert agent.pairs()[0].state is PairState.IN_PROGRESS
    assert not agent.is_authenticated(Path(GATEWAY, Address("203.0.113.66", 1)))
    agent.handle_datagram(peers_answer(forged), HERE, 0.1)
    assert agent.pairs()[0].state is PairState.SUCCEEDED


def test_highest_of_several_nominated_pairs_is_selected(make_agent: MakeAgent, make_check: MakeCheck) -> None:
    agent = make_agent(lite=True)
    low, high = Path(GATEWAY, CALLER), Path(GATEWAY, Address("192.0.2.1", 50003))
    for _ in range(3):
        ask(agent, make_check(agent, use_candidate=b"", priority=(2).to_bytes(4)), high)
        ask(agent, make_check(agent, use_candidate=b"", priority=(1).to_bytes(4)), low)
    assert agent.selected_path == high


def test_second_nominated_path_takes_over_when_the_first_falls_silent(
    make_agent: MakeAgent, make_check: MakeCheck
) -> None:
    agent = make_agent()
    first, second = HERE, Path(GATEWAY, Address("203.0.113.80", 50003))
    alive = [first, second]

    def answer_all(now: float) -> None:
        agent.handle_timeout(now)
        for datagram in agent.datagrams_to_send():
            if parse_stun_untrusted(datagram.data).message_class is MessageClass.REQUEST and datagram.path in alive:
                agent.handle_datagram(peers_answer(datagram.data), datagram.path, now)

    for tick in range(2000):
        now = tick / 10
        if tick % 25 == 0:  # an aggressive peer nominates with every check, on every path, every 2.5 seconds
            for path in alive:
                priority = (9 - len(alive) + alive.index(path)).to_bytes(4)
                agent.handle_datagram(make_check(agent, use_candidate=b"", priority=priority), path, now)
        answer_all(now)
        if tick == 1000:
            assert agent.selected_path == second
            alive.remove(second)
        if tick == 1100:
            assert agent.selected_path == first
    assert agent.state is IceState.CONNECTED
    assert agent.selected_path == first


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"key": b"a stranger's password"}, id="foreign signature"),
        pytest.param({"username": b"other:peer"}, id="foreign ufrag"),
        pytest.param({"username": None}, id="no username"),
        pytest.param({"username": None, "priority": None, "key": b"guess"}, id="foreign and incomplete"),
    ],
)
def test_stranger_gets_silence(make_agent: MakeAgent, make_check: MakeCheck, changes: dict[str, bytes]) -> None:
    agent = make_agent()
    assert ask(agent, make_check(agent, **changes)) is None
    assert ask(agent, make_check(agent, (0x7F00, b"unknown"), **changes)) is None
    assert not agent.pairs()
    assert not agent.is_authenticated(HERE)
    assert agent.dropped_datagrams == 2


def test_unsigned_and_unmarked_checks_get_silence(make_agent: MakeAgent, make_check: MakeCheck) -> None:
    agent = make_agent()
    check = make_check(agent)
    unmarked = check[:2] + (len(check) - 28).to_bytes(2) + check[4:-8]
    unsigned = build_stun(MessageClass.REQUEST, bytes(12), [(Attribute.USERNAME, f"{agent.local_ufrag}:peer".encode())])
    assert ask(agent, unmarked) is None
    assert ask(agent, unsigned) is None


def test_check_to_an_address_that_is_no_candidate_gets_silence(make_agent: MakeAgent, make_check: MakeCheck) -> None:
    agent = make_agent()
    assert ask(agent, make_check(agent), Path(Address(GATEWAY.host, 1), CALLER)) is None


@pytest.mark.parametrize(
    ("attributes", "changes", "code"),
    [
        ([], {"priority": None}, 400),
        ([], {"ice_controlled": bytes(8)}, 400),
        ([(0x7F00, b"")], {}, 420),
        ([(0x7F00, b""), (0x0002, b"")], {"priority": None}, 420),
    ],
)
def test_odd_check_of_the_peer_gets_an_error_that_is_not_longer(
    make_agent: MakeAgent,
    make_check: MakeCheck,
    attributes: list[tuple[int, bytes]],
    changes: dict[str, bytes],
    code: int,
) -> None:
    agent = make_agent()
    answer = ask(agent, make_check(agent, *attributes, **changes))
    assert answer is not None
    assert answer.error_code == code
    unknown = b"".join(attribute.to_bytes(2) for attribute, _ in attributes)
    assert answer.attributes.get(Attribute.UNKNOWN_ATTRIBUTES, b"") == unknown
    assert not agent.pairs()


def test_shortest_possible_check_with_an_error_is_not_amplified(make_agent: MakeAgent, make_check: MakeCheck) -> None:
    agent = make_agent()
    username = f"{agent.local_ufrag}:".encode()
    answer = ask(agent, make_check(agent, username=username, priority=None, ice_controlling=None))
    assert answer is not None
    assert answer.error_code == 400


def test_lite_agent_never_takes_the_controlling_role(make_agent: MakeAgent, make_check: MakeCheck) -> None:
    agent = make_agent(lite=True)
    answer = ask(agent, make_check(agent, ice_controlling=None, ice_controlled=bytes(8)))
    assert answer is not None
    assert answer.error_code == 487
    assert not agent.controlling


def test_paths_of_a_peer_are_bounded(make_agent: MakeAgent, make_check: MakeCheck) -> None:
    agent = make_agent()
    paths = [Path(GATEWAY, Address("192.0.2.1", port)) for port in range(2000, 2300)]
    for path in paths:
        ask(agent, make_check(agent), path)
    assert len(agent.pairs()) == MAX_PAIRS
    assert sum(map(agent.is_authenticated, paths)) == MAX_PAIRS
    assert len(checks_sent(agent, until=14.0)) <= MAX_PAIRS * 7


def test_peer_that_changes_its_address_for_hours_is_followed(make_agent: MakeAgent, make_check: MakeCheck) -> None:
    agent = make_agent(lite=True)
    paths = [Path(GATEWAY, Address("192.0.2.1", 2000 + number)) for number in range(24)]
    for number, path in enumerate(paths):
        for second in range(0, 600, 20):
            ask(agent, make_check(agent, use_candidate=b""), path, now=number * 600.0 + second)
        assert agent.selected_path == path
        assert len(agent.pairs()) == 1
    events = list(iter(agent.next_event, None))
    assert [event.path for event in events if isinstance(event, PathReleased)] == paths[:-1]
    assert not any(isinstance(event, PathGivenUp) for event in events)


def test_repeated_check_without_answer_to_ours_is_bounded(make_agent: MakeAgent, make_check: MakeCheck) -> None:
    agent = make_agent()
    sent = 0
    for number in range(1000):
        now = number * 0.012
        agent.handle_datagram(make_check(agent), HERE, now)
        agent.handle_timeout(now)
        sent += sum(parse_stun_untrusted(d.data).message_class == 0 for d in agent.datagrams_to_send())
    assert sent <= 207


@pytest.mark.parametrize("lite", [True, False])
@pytest.mark.parametrize("paths", [1, 10])
def test_checks_are_answered_at_the_pace_of_an_agent_and_no_faster(
    make_agent: MakeAgent, make_check: MakeCheck, paths: int, lite: bool
) -> None:
    agent = make_agent(lite=lite)
    answers = 0
    for number in range(1000):
        path = Path(GATEWAY, Address("192.0.2.1", 2000 + number % paths))
        agent.handle_datagram(make_check(agent), path, now=number * 0.002)
        answers += len(agent.datagrams_to_send())
    assert answers <= CHECKS_AT_ONCE + 2 * CHECKS_PER_SECOND
    assert agent.dropped_datagrams == 1000 - answers
    later = [ask(agent, make_check(agent), now=3.0 + number * 0.02) for number in range(100)]  # as libnice does
    assert None not in later


def test_forged_checks_use_up_no_answers(make_agent: MakeAgent, make_check: MakeCheck) -> None:
    agent = make_agent()
    for _ in range(1000):
        agent.handle_datagram(make_check(agent, key=b"a guess"), HERE, now=0.0)
    assert ask(agent, make_check(agent)) is not None


def test_path_is_announced_once_and_again_when_it_is_proven(make_agent: MakeAgent, make_check: MakeCheck) -> None:
    agent = make_agent()
    for _ in range(3):
        ask(agent, make_check(agent))
    answer_to_check(agent)
    ask(agent, make_check(agent))
    events = []
    while (event := agent.next_event()) is not None:
        events.append(event)
    announced = [event for event in events if isinstance(event, PathAuthenticated)]
    assert announced == [PathAuthenticated(HERE, proven=False), PathAuthenticated(HERE, proven=True)]


def test_any_datagram_leaves_the_agent_whole(make_agent: MakeAgent, make_check: MakeCheck) -> None:
    """Fuzz: ``handle_datagram`` raises nothing, whatever comes from wherever, and its answers are no longer."""
    rng = random.Random(7675)
    agent = make_agent()
    seeds = [path.read_bytes() for path in sorted(VECTORS.rglob("*.bin"))] + 20 * [make_check(agent)]
    for number in range(5000):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        agent.handle_datagram(bytes(data), HERE, number / 1000)
        assert all(len(answer.data) <= len(data) for answer in agent.datagrams_to_send())
    assert len(agent.pairs()) == 1
    assert agent.dropped_datagrams > 1000
