import random
from collections.abc import Callable

import pytest
from glottis.contracts.errors import Malformed
from glottis.sdp import Attribute, MediaDescription, Origin, SessionDescription, parse_session_description_untrusted
from glottis.sdp.parser import (
    MAX_FINGERPRINTS,
    MAX_FORMATS,
    MAX_LENGTH,
    MAX_LINES,
    MAX_MEDIA_SECTIONS,
    MAX_PARAMETERS,
    MAX_READ,
    MAX_REPEATS,
    MAX_SIZE,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples

HEAD = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
FIXTURES = [
    f"{browser}_{page}_offer.sdp"
    for browser in ("chromium156", "firefox153")
    for page in ("seed", "seed_nodc", "widget")
]

token = st.text("abcXYZ019-+!#", min_size=1, max_size=12)
byte_string = (
    st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), min_size=1, max_size=30)
    .map(lambda text: text.rstrip(" \t"))
    .filter(bool)
)
word = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
number = st.integers(0, 2**63)
attributes = st.lists(st.builds(Attribute, token, st.just("") | byte_string), max_size=5).map(tuple)
connection = st.none() | st.just("IN IP4 0.0.0.0") | st.just("IN IP6 ::")
bandwidths = st.lists(st.builds("{}:{}".format, token, st.integers(0, 10**9)), max_size=2).map(tuple)
media = st.builds(
    MediaDescription,
    media=token,
    port=st.integers(0, 65535),
    protocol=st.lists(token, min_size=1, max_size=4).map("/".join),
    formats=st.lists(token, min_size=1, max_size=5).map(tuple),
    attributes=attributes,
    port_count=st.none() | st.integers(1, 99999),
    connection=connection,
    bandwidths=bandwidths,
)
descriptions = st.builds(
    SessionDescription,
    origin=st.builds(Origin, number, number, word, st.just("IN"), st.just("IP4"), word),
    attributes=attributes,
    media=st.lists(media, max_size=4).map(tuple),
    name=byte_string,
    connection=connection,
    bandwidths=bandwidths,
)


@pytest.mark.slow
@settings(max_examples=examples(150), derandomize=True)
@given(descriptions)
def test_what_is_written_is_read_as_the_same_value(description: SessionDescription) -> None:
    text = str(description)
    assert parse_session_description_untrusted(text) == description
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")


@pytest.mark.parametrize("name", FIXTURES)
def test_browsers_offer_is_written_as_it_was_read(name: str, vector: Callable[[str], str]) -> None:
    lines = vector(name).splitlines()
    assert str(parse_session_description_untrusted(vector(name))) == "".join(f"{line}\r\n" for line in lines)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_both_line_ends_are_read(line_end: str, vector: Callable[[str], str]) -> None:
    text = vector(FIXTURES[0])
    changed = line_end.join([*text.splitlines(), ""])
    assert parse_session_description_untrusted(changed) == parse_session_description_untrusted(text)


def test_unknown_attributes_are_kept_in_order() -> None:
    description = parse_session_description_untrusted(HEAD + "a=x-new:1 2\r\na=flag\r\n")
    assert description.attributes == (Attribute("x-new", "1 2"), Attribute("flag"))


def test_lines_without_meaning_for_webrtc_are_taken_and_dropped() -> None:
    text = (
        "v=0\no=- 1 2 IN IP4 192.0.2.1\ns=Call\ni=About\nu=http://example.com\ne=a@example.com\np=+1\n"
        "c=IN IP4 192.0.2.1\nb=AS:64\nt=1 2\nr=7d 1h 0\nz=0 1h\nt=3 4\nk=prompt\na=x\nm=audio 9 RTP/AVP 0\ni=Title\n"
    )
    description = parse_session_description_untrusted(text)
    assert (description.name, description.bandwidths) == ("Call", ("AS:64",))
    assert description.media[0].formats == ("0",)


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        (HEAD.removesuffix("\r\n"), []),
        (HEAD + "a=x", [Attribute("x")]),
        (HEAD + "a=x\r\n\r\n", [Attribute("x")]),
        ("\r\n" + HEAD + " \t\r\na=x\r\n", [Attribute("x")]),
        (HEAD + "a=x:1 2 \t\r\n", [Attribute("x", "1 2")]),
        (HEAD + "  a=x:1\r\r\n", [Attribute("x", "1")]),
        (HEAD + "a=x:\r\n", [Attribute("x")]),
        (HEAD.replace("\r\n", " \r\n") + "a=x\r\n", [Attribute("x")]),
        (HEAD.replace("t=", "a=x\r\nt="), [Attribute("x")]),
        (HEAD.replace("s=-", "s="), []),
        (HEAD.replace("s=-", "s= "), []),
        (HEAD.replace("- 1 2", "- -1 -9223372036854775808"), []),
        (HEAD.replace("t=0 0", "t=now"), []),
        (HEAD + "b=AS:64\r\na=x\r\nc=IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.2\r\ni=\r\n", [Attribute("x")]),
    ],
)
def test_what_makes_no_difference_is_taken(text: str, attributes: list[Attribute]) -> None:
    description = parse_session_description_untrusted(text)
    assert (list(description.attributes), description.name) == (attributes, "-")
    assert description.skipped == ()


def test_of_two_connections_the_first_counts() -> None:
    media = "m=audio 9 RTP/AVP 0\r\na=x\r\nc=IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.2\r\nb=AS:64\r\n"
    (section,) = parse_session_description_untrusted(HEAD + media).media
    assert (section.connection, section.bandwidths) == ("IN IP4 192.0.2.1", ("AS:64",))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "line 5: expected a letter of RFC 8866, =, and a value"),
        ("f=unheard of", "line 5: expected a letter of RFC 8866, =, and a value"),
        ("a=mid:\0", "line 5: expected a letter of RFC 8866, =, and a value"),
        ("a=mid:0\rv=0", "line 5: expected a letter of RFC 8866, =, and a value"),
        ("a=", "line 5: after a= expected a name, or name, colon, value"),
        ("a=two words", "line 5: after a= expected a name, or name, colon, value"),
        ("a=:value", "line 5: after a= expected a name, or name, colon, value"),
        ("c=here", "line 5: after c= expected network type, address type, address"),
        ("b=AS:much", "line 5: after b= expected bandwidth type, colon, number"),
        ("a=ptime:0", "line 5: after a=ptime: expected more than zero milliseconds"),
        ("a=rtpmap:", "line 5: after a=rtpmap: expected payload type, encoding name/clock rate[/channels]"),
    ],
)
@pytest.mark.parametrize("head", [HEAD, HEAD.replace("t=0 0\r\n", "t=0 0\r\nm=audio 9 RTP/AVP 0\r\n")])
def test_line_that_cannot_be_read_is_skipped_and_noted(head: str, line: str, message: str) -> None:
    description = parse_session_description_untrusted(f"{head}{line}\r\na=last\r\n")
    holder = description.media[0] if description.media else description
    assert holder.attributes == (Attribute("last"),)
    assert description.skipped == (message if holder is description else message.replace("line 5", "line 6"),)


@pytest.mark.parametrize("name", ["fmtp", "group", "ice-options", "ice-ufrag", "mid"])
def test_long_value_is_not_read(name: str) -> None:
    longest = f"a={name}:111 {'x' * (MAX_LENGTH - 4)}"
    description = parse_session_description_untrusted(f"{HEAD}{longest}x\r\na=last\r\n")
    assert description.attributes == (Attribute("last"),)
    assert description.skipped == (f"line 5: after a={name}: expected at most {MAX_LENGTH} characters",)
    assert "characters" not in str(parse_session_description_untrusted(f"{HEAD}{longest}\r\n").skipped)


def test_what_nobody_reads_may_be_long() -> None:
    value = "x" * (MAX_SIZE // 2)
    assert parse_session_description_untrusted(f"{HEAD}a=identity:{value}").attributes == (
        Attribute("identity", value),
    )


@pytest.mark.parametrize(
    ("line", "most"), [("ssrc:1", MAX_REPEATS), (f"fingerprint:sha-256 {':'.join(['AA'] * 32)}", MAX_FINGERPRINTS)]
)
def test_an_attribute_is_read_so_often_and_not_more(line: str, most: int) -> None:
    name = line.partition(":")[0]
    media = "m=audio 9 RTP/AVP 0\r\n" + f"a={line}\r\na=x\r\n" * (most + 2)
    description = parse_session_description_untrusted(HEAD + media)
    names = [attribute.name for attribute in description.media[0].attributes]
    assert (names.count(name), names.count("x")) == (most, most + 2)
    assert description.skipped[0] == f"line {6 + 2 * most}: expected at most {most} times a={name}"
    assert len(description.skipped) == 1


def test_so_many_parameters_are_read_of_all_formats_and_not_more() -> None:
    lines = f"a=fmtp:111 {'a;' * (MAX_PARAMETERS - 2)}a\r\na=fmtp:96 b\r\na=fmtp:97 c\r\n"
    description = parse_session_description_untrusted(f"{HEAD}m=audio 9 RTP/AVP 111\r\n{lines}")
    assert [attribute.value for attribute in description.media[0].attributes][1:] == ["96 b"]
    assert description.skipped == (f"line 8: after a=fmtp: expected at most {MAX_PARAMETERS} parameters in all",)


@pytest.mark.parametrize("origin", ["- one 2 IN IP4 127.0.0.1", "- \u0663 2 IN IP4 127.0.0.1", "1 2 IN IP4 ::", ""])
def test_origin_that_cannot_be_read_says_nothing(origin: str) -> None:
    description = parse_session_description_untrusted(HEAD.replace("- 1 2 IN IP4 127.0.0.1", origin))
    assert description.origin == Origin(0, 0)
    assert description.skipped == ("line 2: after o= expected name, two numbers, IN, IP4, address",)


@pytest.mark.parametrize("name", FIXTURES)
def test_nothing_of_a_browsers_offer_is_skipped(name: str, vector: Callable[[str], str]) -> None:
    assert parse_session_description_untrusted(vector(name)).skipped == ()


def test_separators_of_unicode_do_not_end_a_line() -> None:
    description = parse_session_description_untrusted(HEAD + "a=label:one\u2028two\x0bthree\r\n")
    assert description.attributes == (Attribute("label", "one\u2028two\x0bthree"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected v="),
        ("\r\n", "line 1: expected v="),
        ("nonsense", "line 1: expected v="),
        ("a=x\r\n" + HEAD, "line 1: expected v="),
        (HEAD.replace("\r\n", "\r"), "line 1: expected v="),
        (HEAD.replace("v=0", "v=1"), "line 1: after v= expected 0"),
        ("o=- 1 2 IN IP4 127.0.0.1\r\n", "line 1: expected v="),
        ("v=0\r\n", "line 2: expected o="),
        ("v=0\r\ns=-\r\n", "line 2: expected o="),
        ("v=0\r\na=x\r\n", "line 2: expected o="),
        ("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\nnonsense\r\n", "line 3: expected s="),
        (HEAD.removesuffix("t=0 0\r\n"), "line 4: expected t="),
        (HEAD.replace("t=0 0", "m=audio 9 RTP/AVP 0"), "line 4: expected t="),
        (HEAD + HEAD, "line 5: expected t= or m="),
        (HEAD + "s=-\r\n", "line 5: expected t= or m="),
        (HEAD + "m=\r\n", "line 5: after m="),
        (HEAD + "m=audio 9 RTP/AVP\r\n", "line 5: after m="),
        (HEAD + "m=audio  9 RTP/AVP 0\r\n", "line 5: after m="),
        (HEAD + "m=audio 65536 RTP/AVP 0\r\n", "line 5: expected a port"),
        (HEAD + "m=audio -1 RTP/AVP 0\r\n", "line 5: after m="),
        (HEAD + "m=audio 9/0 RTP/AVP 0\r\n", "line 5: after m="),
        (HEAD + "m=audio 9 RTP/AVP" + " 0" * MAX_LENGTH + "\r\n", f"line 5: expected at most {MAX_LENGTH} characters"),
        (HEAD + "m=audio 9 RTP/AVP" + " 0" * (MAX_FORMATS + 1), f"line 5: expected at most {MAX_FORMATS} formats"),
        (
            HEAD
            + "m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=ssrc:1\r\na=ptime:20\r\n" * 12
            + "a=mid:0\r\n" * 60
            + "m=audio 9 RTP/AVP 0\r\n"
            + "a=mid:0\r\n" * 60
            + "a=ssrc:1\r\n" * 60,
            f"expected at most {MAX_READ} attributes that are read",
        ),
        (HEAD + "m=audio 9 RTP/AVP 0\r\nt=0 0\r\n", "line 6: expected m="),
        (HEAD + "a=\ud800\r\n", "expected text that UTF-8 can encode"),
        (HEAD + "a=x\r\n" * MAX_LINES, f"expected at most {MAX_LINES} lines"),
        (HEAD + "m=audio 9 RTP/AVP 0\r\n" * (MAX_MEDIA_SECTIONS + 1), f"expected at most {MAX_MEDIA_SECTIONS} media"),
        (HEAD + "a=x:" + "é" * (MAX_SIZE // 2) + "\r\n", f"expected at most {MAX_SIZE} bytes"),
    ],
)
def test_wrong_structure_or_size_is_refused_with_its_line_and_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_session_description_untrusted(text)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(("name", "value"), [("", ""), ("two words", ""), ("a", "x\r\na=b"), ("a", "\0")])
def test_attribute_that_would_not_stay_one_line_cannot_be_written(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="attribute"):
        str(Attribute(name, value))


@pytest.mark.slow
def test_fuzz_parse_session_description_untrusted_raises_nothing_but_malformed(corpus: list[str]) -> None:
    """Whatever text comes, parse_session_description_untrusted raises Malformed or gives what it can write and read."""
    rng = random.Random(8866)
    for _ in range(1500):
        text = list(rng.choice(corpus))
        for _ in range(rng.randrange(1, 6)):
            start = rng.randrange(len(text) or 1)
            text[start : start + rng.choice((0, 1, 1, 40))] = rng.choice(
                ("", "\r\n", "\n", "=", ":", " ", "/", "m=", "a=", "\0", "\u2028", "é", "9" * 30, "\ud800")
            )
        try:
            description = parse_session_description_untrusted("".join(text))
        except Malformed:
            continue
        assert parse_session_description_untrusted(str(description)) == description
