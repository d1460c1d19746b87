import contextlib
import json
import pathlib
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from glottis.contracts.errors import LocalError, Malformed
from glottis.sdp import parse_candidate_untrusted
from glottis.signaling.errors import Rejected
from glottis.signaling.json_input import (
    MAX_VALUES,
    MemberReader,
    Undecoded,
    decode_object_untrusted,
    decode_untrusted,
    shallow_untrusted,
    split_object_untrusted,
)
from glottis.signaling.messages import (
    DEFAULT_KEY,
    Answer,
    Bye,
    ClientMessage,
    Error,
    Event,
    Key,
    Mark,
    Offer,
    ServerMessage,
    Text,
    TrickledCandidate,
    encode_message,
    parse_client_message_untrusted,
    parse_server_message_untrusted,
    stream_message_untrusted,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples

TORTURE = pathlib.Path(__file__).parents[1] / "vectors" / "json"
JSON: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("09#DßZ", max_size=3) | st.just([])
)
LINE = "candidate:1 1 udp 2122194687 192.0.2.2 33633 typ host"
CANDIDATE = TrickledCandidate(LINE, "0", 0, "VWfS")


def parse(**fields: Any) -> ClientMessage:
    return parse_client_message_untrusted(json.dumps(fields))


@pytest.mark.parametrize(
    "message", [Offer("v=0\r\n"), CANDIDATE, Text("héllo"), Bye("done"), Bye(), Mark(7), Key("#", 0.25)]
)
def test_client_messages_survive_the_journey(message: ClientMessage) -> None:
    assert parse_client_message_untrusted(encode_message(message)) == message


@pytest.mark.parametrize("message", [Mark(7), Key("*", 0.1)])
def test_what_is_told_beside_audio_is_an_event_to_clients(message: Mark | Key) -> None:
    event = parse_server_message_untrusted(encode_message(message))
    assert isinstance(event, Event)
    assert stream_message_untrusted(event) == message
    assert stream_message_untrusted(Event("state", {"id": 1})) is None


def test_a_key_may_say_nothing_of_its_length() -> None:
    assert parse(type="event", name="dtmf", data={"digit": "d"}) == Key("D", DEFAULT_KEY)


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("mark", {}, "MISSING_FIELD"),
        ("mark", {"id": "7"}, "INVALID_FIELD"),
        ("mark", {"id": -1}, "INVALID_FIELD"),
        ("mark", {"id": 1e300}, "INVALID_FIELD"),
        ("mark", [7], "INVALID_FIELD"),
        ("dtmf", {}, "MISSING_FIELD"),
        ("dtmf", {"digit": "12"}, "INVALID_FIELD"),
        ("dtmf", {"digit": "ß"}, "INVALID_FIELD"),
        ("dtmf", {"digit": "1", "durationMs": True}, "INVALID_FIELD"),
        ("transcript", {}, "UNKNOWN_EVENT"),
    ],
)
def test_an_event_of_a_client_that_means_nothing_is_refused(name: str, data: object, code: str) -> None:
    with pytest.raises(Rejected) as rejected:
        parse(type="event", name=name, data=data)
    assert rejected.value.code == code


@given(
    st.sampled_from(["mark", "dtmf", "other"]), st.dictionaries(st.sampled_from(["id", "digit", "durationMs"]), JSON)
)
def test_events_beside_audio_raise_nothing_but_malformed(name: str, data: dict[str, Any]) -> None:
    """``stream_message_untrusted`` raises ``Malformed`` and nothing else."""
    with contextlib.suppress(Malformed):
        stream_message_untrusted(Event(name, data))


@pytest.mark.parametrize(
    "message",
    [Answer("v=0\r\n"), CANDIDATE, Text(""), Event("state", {"state": "active"}), Error("C", "s"), Bye("done")],
)
def test_server_messages_survive_the_journey(message: ServerMessage) -> None:
    assert parse_server_message_untrusted(encode_message(message)) == message


def test_candidate_is_written_as_browsers_take_it() -> None:
    assert json.loads(encode_message(CANDIDATE)) == {
        "type": "candidate",
        "candidate": {"candidate": LINE, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "VWfS"},
    }


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"candidate": None},
        {"candidate": ""},
        {"candidate": "a=end-of-candidates"},
        {"candidate": {}},
        {"candidate": {"candidate": None}},
        {"candidate": {"candidate": ""}},
        {"candidate": {"candidate": "", "sdpMid": None, "sdpMLineIndex": None, "usernameFragment": None}},
        {"candidate": {"candidate": "a=end-of-candidates\r\n"}},
    ],
)
def test_every_end_of_candidates_is_one(fields: dict[str, Any]) -> None:
    assert parse(type="candidate", **fields) == TrickledCandidate("")


def test_end_of_candidates_keeps_its_section_and_generation() -> None:
    candidate = {"candidate": "", "sdpMid": "1", "sdpMLineIndex": 1, "usernameFragment": "abcd"}
    assert parse(type="candidate", candidate=candidate) == TrickledCandidate("", "1", 1, "abcd")


@pytest.mark.parametrize(
    ("mid", "index", "read"), [("", 0, 0), ("", None, None), ("0", -1, None), (None, 65535, 65535)]
)
def test_section_of_a_candidate_is_passed_on_to_whoever_knows_the_sections(
    mid: str | None, index: int | None, read: int | None
) -> None:
    candidate = {"candidate": LINE, "sdpMid": mid, "sdpMLineIndex": index, "usernameFragment": None}
    assert parse(type="candidate", candidate=candidate) == TrickledCandidate(LINE, mid, read)


@pytest.mark.parametrize(
    ("members", "read"),
    [
        ({"sdpMid": 0}, ("0", None, None)),
        ({"sdpMid": ["0"], "sdpMLineIndex": 1}, (None, 1, None)),
        ({"sdpMLineIndex": "1"}, (None, 1, None)),
        ({"sdpMLineIndex": 1.0}, (None, 1, None)),
        ({"sdpMLineIndex": -2}, (None, -2, None)),
        ({"sdpMLineIndex": 70000}, (None, 70000, None)),
        ({"sdpMLineIndex": 0.5}, (None, None, None)),
        ({"sdpMLineIndex": True}, (None, None, None)),
        ({"sdpMLineIndex": "first"}, (None, None, None)),
        ({"usernameFragment": 7}, (None, None, None)),
        ({"usernameFragment": []}, (None, None, None)),
    ],
)
def test_odd_member_costs_no_candidate(
    members: dict[str, Any], read: tuple[str | None, int | None, str | None]
) -> None:
    assert parse(type="candidate", candidate={"candidate": LINE, **members}) == TrickledCandidate(LINE, *read)


@pytest.mark.parametrize("candidate", [5, 0, True, False, [], [LINE], {"candidate": 5}, {"candidate": {}}])
def test_what_is_no_text_is_a_candidate_that_cannot_be_read(candidate: object) -> None:
    read = parse(type="candidate", candidate=candidate)
    assert isinstance(read, TrickledCandidate)
    assert read.candidate
    with pytest.raises(Malformed):
        parse_candidate_untrusted(read.candidate)


@pytest.mark.parametrize("reason", [None, 5, [], {"text": "enough"}])
def test_bye_is_one_whatever_its_reason(reason: object) -> None:
    assert parse(type="bye", reason=reason) == Bye()


def test_names_of_a_candidate_are_bounded() -> None:
    long = "m" * 257
    read = parse(type="candidate", candidate={"candidate": LINE, "sdpMid": long, "usernameFragment": long})
    assert read == TrickledCandidate(LINE)


@pytest.mark.parametrize(
    "message",
    [
        '{"type":"text","text":"x","more":%s}',
        '{"type":"candidate","candidate":{"candidate":"","more":%s}}',
        '{"type":"candidate","candidate":{"candidate":%s}}',
        '{"type":"candidate","candidate":%s}',
        '{"type":"bye","reason":%s}',
    ],
)
@pytest.mark.parametrize("item", ["[]", '{"a":{}}', "1.5", "1e300"])
def test_what_nobody_reads_of_a_message_is_not_decoded(message: str, item: str) -> None:
    data = message % ("[" + ",".join([item] * (60_000 // (len(item) + 1))) + "]")
    tracemalloc.start()
    parse_client_message_untrusted(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * len(data)  # copies of its text; decoded, it is ten to twenty times as large


def test_members_are_split_without_being_decoded() -> None:
    data = '{"a": [1, {"b": "c"}], "d\\u0065": "x" , "f": -1.5e3, "a": {}}'
    members = {name: bytes(text) for name, text in split_object_untrusted(data).items()}
    assert members == {"a": b"{}", "de": b'"x"', "f": b"-1.5e3"}
    assert MemberReader("f", "de", "absent").read_untrusted(data) == {"f": -1500.0, "de": "x"}
    (member,) = MemberReader("a").read_untrusted(data).values()
    assert isinstance(member, Undecoded)
    assert member.is_object
    assert decode_untrusted(member) == {}


def test_candidate_may_be_a_bare_string_with_the_rest_beside_it() -> None:
    assert parse(type="candidate", candidate=LINE) == TrickledCandidate(LINE)
    assert parse(type="candidate", candidate=LINE, sdpMid="0", sdpMLineIndex=0) == TrickledCandidate(LINE, "0", 0)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("", "MALFORMED_JSON"),
        ("{", "MALFORMED_JSON"),
        ("[]", "MALFORMED_JSON"),
        ("[" * 60000, "MALFORMED_JSON"),
        ("{}", "MISSING_FIELD"),
        ('{"type":null}', "MISSING_FIELD"),
        ('{"type":1}', "INVALID_FIELD"),
        ('{"type":"answer","sdp":""}', "UNKNOWN_TYPE"),
        ('{"type":"Offer","sdp":""}', "UNKNOWN_TYPE"),
        ('{"type":"offer"}', "MISSING_FIELD"),
        ('{"type":"offer","sdp":{}}', "INVALID_FIELD"),
        ('{"type":"text"}', "MISSING_FIELD"),
    ],
)
def test_bad_message_is_refused_with_a_code(data: str, code: str) -> None:
    with pytest.raises(Rejected) as raised:
        parse_client_message_untrusted(data)
    assert raised.value.code == code


@pytest.mark.parametrize("data", [{"a": object()}, {"a": "\ud800"}, {1j: 1}])
def test_event_that_json_cannot_say_is_the_callers_error(data: Any) -> None:
    with pytest.raises(LocalError, match="event message"):
        encode_message(Event("x", data))


@pytest.mark.parametrize("path", sorted(TORTURE.iterdir()), ids=lambda path: path.stem)
def test_torture_is_survived(path: pathlib.Path) -> None:
    data = path.read_bytes()
    for body in (data, b'{"type":' + data + b"}"):
        with pytest.raises(Malformed):
            parse_client_message_untrusted(body)
    with pytest.raises(Malformed) if path.stem.startswith("n_") else contextlib.suppress(Malformed):
        encode_message(parse_client_message_untrusted(b'{"type":"candidate","candidate":' + data + b"}"))


values = st.none() | st.integers() | st.text() | st.lists(st.integers()) | st.dictionaries(st.text(), st.text())
fields = st.dictionaries(
    st.sampled_from(["sdp", "candidate", "text", "reason", "name", "data", "code", "message", "sdpMid"]), values
)
types = st.sampled_from(["offer", "answer", "candidate", "text", "event", "error", "bye", "x"])


@pytest.mark.slow
@settings(max_examples=examples(300), derandomize=True)
@given(
    st.binary() | st.text() | st.builds(lambda kind, rest: msgspec.json.encode({"type": kind, **rest}), types, fields)
)
def test_any_data_is_a_message_or_malformed(data: str | bytes) -> None:
    """Fuzz: parse_client_message_untrusted and parse_server_message_untrusted raise Malformed and nothing else."""
    for read in (parse_client_message_untrusted, parse_server_message_untrusted):
        try:
            message = read(data)
        except Malformed:
            continue
        encode_message(message)


def filled(item: str) -> str:
    """64 KiB of an array of this, or as many values as a text may have."""
    values = 1 + item.count("[") + item.count("{")
    return '{"type":[' + ",".join([item] * min(65_500 // (len(item) + 1), (MAX_VALUES - 2) // values)) + "]}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "item",
    [
        "1e300",
        "4e-320",
        "1.7976931348623157e308",
        "1" * 4300,
        "[" * 60 + "]" * 60,
        '{"a":{}}',
        '"\\ud83d\\ude00"',
        "{}",
    ],
)
def test_no_message_of_64_kib_keeps_the_other_calls_waiting(item: str) -> None:
    data = filled(item)
    ours, standard = [], []
    for _ in range(7):
        ours.append(cost(decode_object_untrusted, data))
        standard.append(cost(json.loads, data))
    assert min(ours) < 8 * min(standard)  # usually 1 to 4; decoders that are slow with floats are beyond 10


def cost(decode: Callable[[str], object], data: str) -> float:
    begun = time.process_time()
    decode(data)
    return time.process_time() - begun


@pytest.mark.parametrize(
    ("data", "depth"), [("[" * 63 + "]" * 63, 64), ("[" * 64 + "]" * 64, 65), ('{"a":' * 63 + "1" + "}" * 63, 64)]
)
def test_depth_is_bounded(data: str, depth: int) -> None:
    with pytest.raises(Malformed, match="64 levels") if depth > 64 else contextlib.nullcontext():
        decode_object_untrusted('{"a":' + data + "}")


@pytest.mark.parametrize("read", [decode_object_untrusted, split_object_untrusted])
@pytest.mark.parametrize(
    ("opening", "item", "closing", "marks"),
    [("[", "1", "]", 1), ("[", "[]", "]", 2), ("[", "{}", "]", 2), ("{", '"a":"b,"', "}", 1), ("[", '"[{,"', "]", 1)],
)
def test_values_are_bounded_in_number(
    read: Callable[[str], object], opening: str, item: str, closing: str, marks: int
) -> None:
    fitting = (MAX_VALUES - 1) // marks  # beside the object itself
    read('{"a":' + opening + ",".join([item] * fitting) + closing + "}")
    with pytest.raises(Malformed, match="at most 2048 values"):
        read('{"a":' + opening + ",".join([item] * (fitting + 1)) + closing + "}")


@pytest.mark.parametrize("text", [",[{" * 5000, '\\",' * 5000, "\\\\" + '\\",[' * 5000, '\\n\\\\\\",' * 3000])
def test_a_string_may_hold_any_number_of_commas_and_brackets(text: str) -> None:
    assert len(decode_object_untrusted('{"a":"' + text + '"}')["a"]) > MAX_VALUES


@pytest.mark.parametrize(
    "value", ["NaN", "-Infinity", "1e999", "1" * 4301, '"\\udc00"', '"\\ud800x"', '"\ud800"', "01", "'a'", '"\t"']
)
def test_what_cannot_be_passed_on_as_json_is_refused(value: str) -> None:
    with pytest.raises(Malformed, match="valid JSON"):
        decode_object_untrusted('{"a":' + value + "}")


def test_last_of_two_equal_keys_counts() -> None:
    assert decode_object_untrusted('{"a":1,"a":2}') == {"a": 2}


@settings(max_examples=examples(200), derandomize=True)
@given(st.binary() | st.text() | st.text(alphabet='{}[]":,0123456789eE+-.\\\\untrlsa '))
def test_any_text_is_an_object_or_malformed(data: str | bytes) -> None:
    """Fuzz: decode_object_untrusted, split_object_untrusted, read_untrusted, decode_untrusted and shallow_untrusted
    raise Malformed and nothing else."""
    for read in (decode_object_untrusted, split_object_untrusted, MemberReader("a").read_untrusted):
        with contextlib.suppress(Malformed):
            assert isinstance(read(data), dict)
    for read_value in (decode_untrusted, shallow_untrusted):
        with contextlib.suppress(Malformed):
            read_value(data if isinstance(data, bytes) else data.encode())
