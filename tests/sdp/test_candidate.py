import pytest
from glottis.contracts.errors import Malformed
from glottis.sdp.candidate import Candidate, candidate_foundation, candidate_priority, parse_candidate_untrusted
from glottis.wire.address import text_of
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples

CHROMIUM = "candidate:1591385421 1 udp 2122194687 192.0.2.2 33633 typ host generation 0 ufrag VWfS network-id 1"
FIREFOX_TCP = "candidate:2 1 TCP 2105458943 21bdac1a-e6a3-4600-9d26-cac4a39ff8fc.local 9 typ host tcptype active"
REFLEXIVE = (
    "candidate:842163049 1 udp 1677729535 203.0.113.7 62000 typ srflx raddr 192.168.1.2 rport 62001 generation 0"
)
HOST = "1 1 udp 2122194687 192.0.2.2 33633 typ host"


def test_chromiums_candidate_is_read_with_its_generation_and_without_other_extensions() -> None:
    assert parse_candidate_untrusted(CHROMIUM) == Candidate(
        "1591385421", 1, "udp", 2122194687, "192.0.2.2", 33633, "host", username_fragment="VWfS"
    )


def test_firefoxs_tcp_candidate_with_an_mdns_name_is_read() -> None:
    candidate = parse_candidate_untrusted(FIREFOX_TCP)
    assert (candidate.transport, candidate.tcp_type, candidate.port) == ("tcp", "active", 9)
    assert candidate.address == "21bdac1a-e6a3-4600-9d26-cac4a39ff8fc.local"


def test_related_address_is_read_and_written() -> None:
    candidate = parse_candidate_untrusted(REFLEXIVE)
    assert (candidate.related_address, candidate.related_port) == ("192.168.1.2", 62001)
    assert candidate.to_sdp().endswith("typ srflx raddr 192.168.1.2 rport 62001")


@pytest.mark.parametrize("prefix", ["", "candidate:", "a=candidate:"])
def test_prefix_is_optional(prefix: str) -> None:
    assert parse_candidate_untrusted(prefix + HOST).foundation == "1"


@pytest.mark.parametrize(
    "text",
    [
        HOST + " ",
        f" \t{HOST}\r\n",
        "candidate: " + HOST,
        HOST.replace(" ", "  "),
        HOST + " generation",
        HOST + " raddr 300.1.1.1 rport 1",
        HOST + " raddr (null) rport 65536 \0 é",
        HOST + " rport 9 raddr",
    ],
)
def test_what_nobody_reads_does_not_keep_a_candidate_from_being_read(text: str) -> None:
    candidate = parse_candidate_untrusted(text)
    assert (candidate.address, candidate.port, candidate.related_address) == ("192.0.2.2", 33633, None)
    assert candidate.username_fragment is None


@pytest.mark.parametrize("foundation", ["odd-one_1", "H.1:2", "1" * 64, "candidate:1", "a=candidate:1"])
def test_odd_foundation_does_not_keep_a_candidate_from_being_read(foundation: str) -> None:
    """Browsers take any, so peers have any; some clients put ``candidate:`` there twice."""
    candidate = parse_candidate_untrusted(f"candidate:{HOST.replace('1', foundation, 1)}")
    assert (candidate.foundation, candidate.address) == (foundation, "192.0.2.2")


@pytest.mark.parametrize("prefix", ["", "candidate:", "candidate: ", "a=candidate: "])
def test_foundation_may_be_missing(prefix: str) -> None:
    """Cameras leave it out, and browsers take that."""
    candidate = parse_candidate_untrusted(f"{prefix}1 udp 2113939711 192.0.2.2 19305 typ host generation 0")
    assert (candidate.foundation, candidate.component, candidate.address) == ("", 1, "192.0.2.2")
    assert parse_candidate_untrusted(candidate.to_sdp()) == candidate


@pytest.mark.parametrize(("written", "priority"), [("0", 1), ("2147483648", 2**31 - 1), ("4294967295", 2**31 - 1)])
def test_priority_out_of_range_is_the_nearest_in_it(written: str, priority: int) -> None:
    assert parse_candidate_untrusted(HOST.replace("2122194687", written)).priority == priority


def test_ipv6_address_is_made_canonical() -> None:
    assert parse_candidate_untrusted("1 1 udp 5 2001:DB8:0:0::1 9 typ host").address == "2001:db8::1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "candidate:",
        "1 0 udp 5 192.0.2.2 9 typ host",
        "1 257 udp 5 192.0.2.2 9 typ host",
        "1 1 udp -1 192.0.2.2 9 typ host",
        "1 1 udp 12345678901 192.0.2.2 9 typ host",
        "1 1 udp 5 192.0.2.2 65536 typ host",
        "1 1 udp 5 192.0.2.999 9 typ host",
        "1 1 udp 5 192.0.2 9 typ host",
        "1 1 udp 5 fe80::1%eth0 9 typ host",
        "1 1 udp 5 a..b 9 typ host",
        "1 1 udp ٥ 192.0.2.2 9 typ host",
        "é 1 udp 5 192.0.2.2 9 typ host",
        f"{'1' * 65} 1 udp 5 192.0.2.2 9 typ host",
        "1 1 udp 5 192.0.2.2 9 host",
        HOST + "\r\n" + HOST,
        HOST + " x " + 2000 * "y",
    ],
)
def test_violation_of_the_grammar_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse_candidate_untrusted(text)


@given(st.text(max_size=120) | st.lists(st.sampled_from((*CHROMIUM.split(), *REFLEXIVE.split()))).map(" ".join))
@settings(max_examples=examples(300), derandomize=True)
def test_any_text_is_a_candidate_or_malformed(text: str) -> None:
    """Fuzz: ``parse_candidate_untrusted`` raises nothing but ``Malformed``, whatever it is given."""
    try:
        candidate = parse_candidate_untrusted(text)
    except Malformed:
        return
    assert parse_candidate_untrusted(candidate.to_sdp()) == candidate


@given(
    st.builds(
        Candidate,
        foundation=st.from_regex(r"[A-Za-z0-9+/]{1,32}", fullmatch=True),
        component=st.integers(1, 256),
        transport=st.sampled_from(["udp", "tcp"]),
        priority=st.integers(1, 2**31 - 1),
        address=st.ip_addresses().map(text_of),
        port=st.integers(0, 65535),
        type=st.sampled_from(["host", "srflx", "prflx", "relay"]),
        related_address=st.none() | st.ip_addresses().map(text_of),
        related_port=st.none() | st.integers(0, 65535),
        tcp_type=st.none() | st.just("passive"),
        username_fragment=st.none() | st.from_regex(r"[A-Za-z0-9+/]{4,256}", fullmatch=True),
    )
)
@settings(max_examples=examples(100), derandomize=True)
def test_what_is_written_can_be_read(candidate: Candidate) -> None:
    assert parse_candidate_untrusted("a=" + candidate.to_sdp()) == candidate


def test_priority_follows_the_recommended_formula() -> None:
    assert candidate_priority("host") == 2130706431
    assert candidate_priority("host", component=2) == 2130706430
    assert candidate_priority("host", 65534) < candidate_priority("host")
    assert candidate_priority("relay") < candidate_priority("srflx") < candidate_priority("prflx")


def test_foundation_is_shared_by_candidates_alike_in_type_base_and_server() -> None:
    assert candidate_foundation("host", "192.0.2.1") == candidate_foundation("host", "192.0.2.1")
    assert candidate_foundation("host", "192.0.2.1") != candidate_foundation("host", "192.0.2.2")
    assert candidate_foundation("srflx", "192.0.2.1") != candidate_foundation("srflx", "192.0.2.1", server="192.0.2.9")
