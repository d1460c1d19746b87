"""What reads text: session descriptions, messages, heads of HTTP requests, tokens."""

from collections.abc import Callable
from typing import Any, Final

import h11
from glottis.asgi.forwarder import MAX_BODY_BYTES, merged_untrusted
from glottis.calls.typed_messages import MAX_TYPED_SIZE
from glottis.client.grant import parse_problem_untrusted, parse_queue_place_untrusted, parse_session_grant_untrusted
from glottis.client.ice_servers import parse_ice_servers_untrusted
from glottis.config.origins import parse_origin_untrusted
from glottis.contracts.authority import parse_authority_untrusted
from glottis.sdp.attributes import (
    parse_fingerprint_untrusted,
    parse_fmtp_untrusted,
    parse_group_untrusted,
    parse_ice_options_untrusted,
    parse_ice_pwd_untrusted,
    parse_ice_ufrag_untrusted,
    parse_max_message_size_untrusted,
    parse_mid_untrusted,
    parse_packet_time_untrusted,
    parse_rtpmap_untrusted,
    parse_sctp_port_untrusted,
    parse_setup_untrusted,
    parse_source_attribute_untrusted,
    read_attribute_untrusted,
)
from glottis.sdp.candidate import MAX_CANDIDATE_LENGTH, parse_candidate_untrusted
from glottis.sdp.description import Attribute
from glottis.sdp.parser import MAX_LENGTH, MAX_SIZE, parse_session_description_untrusted
from glottis.server.http.frame_meter import FrameMeter
from glottis.server.http.head import MAX_HEADER_FIELDS, MAX_TARGET_LENGTH, read_head_untrusted
from glottis.server.http.message import parse_target_untrusted
from glottis.server.http.proxies import TrustedProxies, parse_forwarded_element_untrusted
from glottis.signaling.json_input import decode_object_untrusted
from glottis.signaling.messages import (
    Event,
    parse_client_message_untrusted,
    parse_server_message_untrusted,
    stream_message_untrusted,
)
from glottis.signaling.session_request import parse_session_request_untrusted
from glottis.signaling.session_tokens import MAX_TOKEN_LENGTH, HmacTokens
from glottis.signaling.session_url import parse_session_url_untrusted
from glottis_iqra.wishes import MAX_BYTES as MAX_WISH
from glottis_iqra.wishes import read_wish_untrusted
from glottis_openai_calls.bodies import (
    parse_object_untrusted,
    parse_preview_wish_untrusted,
    parse_secret_wish_untrusted,
    parse_wish_untrusted,
)
from glottis_openai_calls.events import MAX_EVENT_BYTES, parse_event_untrusted
from glottis_pipecat.bodies import MAX_BYTES as MAX_PIPECAT
from glottis_pipecat.bodies import parse_candidates_untrusted, parse_offer_untrusted, parse_start_untrusted
from glottis_pipecat.messages import MAX_MESSAGE_BYTES, parse_message_untrusted
from glottis_whip.fragments import MAX_BYTES, parse_fragment_untrusted

from support.worst import MAX_HEAD, Arguments, Make, Row, filled, head, message

DESCRIPTION: Final = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n"
PROXIES: Final = TrustedProxies(["10.0.0.0/8", "2001:db8::/32"])
FORM: Final = "multipart/form-data; boundary=b"
MEMBERS: Final[dict[str, Any]] = {"metadata": {}}
DIGITS: Final = filled("9")
TOKENS: Final = filled("a ")
LETTERS: Final = filled("a")


def described(line: str) -> Make:
    return filled(line, DESCRIPTION + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n")


def object_of(unit: str, before: str = "", after: str = "") -> Make:
    """JSON text of an object that repeats ``unit`` in its member ``x``."""
    return filled(unit, f'{{"type":"text","text":"","x":{before}', f"{after}}}")


def nested(opening: str, closing: str) -> Make:
    def make(size: int) -> Arguments:
        depth = min(900, (size - 30) // (len(opening) + len(closing)))  # more is refused at once
        return (f'{{"type":"text","text":"","x":{opening * depth}0{closing * depth}}}',)

    return make


def members(size: int) -> Arguments:
    """As many as there is room for, with different names."""
    return ('{"type":"text","text":""' + "".join(f',"{index:x}":0' for index in range(size // 9 - 6)) + "}",)


def names(size: int) -> Arguments:
    """The same with no others, in bytes."""
    return (b"{" + b",".join(b'"%04x":0' % index for index in range(size // 9)) + b"}",)


JSON: Final = {
    "numbers": object_of("1,", "[", "1]"),
    "floating-point numbers": object_of("1e9,", "[", "1]"),
    "long floating-point numbers": object_of("1.23456789012345678901234567e300,", "[", "1]"),
    "numbers of hundreds of digits": object_of("1" * 300 + ".1e-300,", "[", "1]"),
    "integers of thousands of digits": object_of("1" * 4300 + ",", "[", "1]"),
    "a number out of all range": object_of("9"),
    "empty arrays": object_of("[],", "[", "1]"),
    "empty objects": object_of("{},", "[", "1]"),
    "empty strings": object_of('"",', "[", "1]"),
    "short strings": object_of('"é",', "[", "1]"),
    "members": members,
    "one member again and again": object_of('"a":0,', "{", '"a":0}'),
    "arrays in arrays": object_of("[" * 30 + "]" * 30 + ",", "[", "1]"),
    "commas in strings": object_of('",,,",', "[", "1]"),
    "nested arrays": nested("[", "]"),
    "nested objects": nested('{"":', "}"),
    "escapes": object_of("\\n", '"', '"'),
    "escaped characters": object_of("\\u00e9", '"', '"'),
    "surrogates": object_of("\\ud83d\\ude00", '"', '"'),
    "half surrogates": object_of("\\ud83d", '"', '"'),
    "blanks": object_of(" ", "", "0"),
    "a long string": object_of("é", '"', '"'),
}
REQUEST: Final = (
    '{"campaignId":"a","businessId":"b","clientIdentifier":"c","audioConfig":{"sampleRate":48000,"frameDurationMs":20}'
)

GRANT: Final = '{"sessionId":"a","websocketUrl":"ws://a",'
CANDIDATE: Final = '{"type":"candidate","candidate":{"candidate":"'
MARK: Final = '{"type":"event","name":"mark","data":{"id":'
KEY: Final = '{"type":"event","name":"dtmf","data":{"digit":"'
EVENT: Final = '{"type":"event","name":"x","data":{"x":"'
SOME_JSON: Final = {name: JSON[name] for name in ("members", "nested objects", "numbers")}


def as_bytes(make: Make) -> Make:
    return lambda size: (make(size)[0].encode(),)


def body(make: Make) -> Make:
    return lambda size: (make(size)[0].encode(),)


def head_of(*fields: tuple[bytes, Callable[[int], bytes]], target: bytes = b"/", count: int = 1) -> Make:
    """A head that h11 has read; its fields share the room, and each comes ``count`` times."""

    def make(size: int) -> Arguments:
        room = size // (len(fields) * count) - 20
        headers = [(b"host", b"gateway")] + [(name, value(max(room, 0))) for name, value in fields] * count
        return h11.Request(method="GET", target=target, headers=headers), "10.0.0.1", PROXIES

    return make


def repeated(unit: bytes) -> Callable[[int], bytes]:
    return lambda size: (unit * (size // len(unit))).strip(b" ") + b"1"


def hops(unit: str) -> Make:
    return filled(unit, after="for=192.0.2.1")


def attributes(name: str) -> Make:
    return lambda size: (Attribute(name, "a" * size, 1), parse_mid_untrusted)


def query(size: int) -> Arguments:
    return "/ws/session/abc/webrtc", {"token": "t" * size, "resume": "1"}


def verify(token: str) -> None:
    HmacTokens(b"s" * 32).verify(token, 0.0)


def feed(data: bytes) -> None:
    FrameMeter(65536, 256).take_untrusted(data)


ATTRIBUTES: Final = tuple(
    message(parse, {"digits": DIGITS, "tokens": TOKENS, "letters": LETTERS, **inputs}, longest=MAX_LENGTH)
    for parse, inputs in {
        parse_mid_untrusted: {},
        parse_group_untrusted: {"blanks": filled(" ", "BUNDLE", "a")},
        parse_rtpmap_untrusted: {"blanks": filled(" ", "0", "a/8000"), "slashes": filled("/1", "0 a")},
        parse_fmtp_untrusted: {
            "parameters": filled("a=1;", "96 "),
            "no parameters": filled(";", "96 "),
            "blanks": filled(" ", "96"),
        },
        parse_fingerprint_untrusted: {"pairs": filled("AA:", "sha-256 ", "AA"), "colons": filled(":", "sha-256 AA")},
        parse_setup_untrusted: {"letters that grow": filled("İ")},
        parse_source_attribute_untrusted: {"blanks": filled(" ", "1", "a"), "colons": filled(":", "1 a")},
        parse_ice_ufrag_untrusted: {},
        parse_ice_pwd_untrusted: {},
        parse_ice_options_untrusted: {"commas": filled(",a"), "separators": filled(" ,")},
        parse_packet_time_untrusted: {"zeros": filled("0")},
        parse_sctp_port_untrusted: {"zeros": filled("0")},
        parse_max_message_size_untrusted: {"zeros": filled("0")},
    }.items()
)

ROWS: Final[tuple[Row, ...]] = (
    *ATTRIBUTES,
    Row(
        parse_fragment_untrusted,
        MAX_BYTES,
        2,
        {
            "candidates": filled(b"a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n"),
            "short candidates": filled(b"a=candidate:\n"),
            "mids": filled(b"a=mid:0\n"),
            "empty lines": filled(b"\n"),
            "one long line": filled(b"x", b"a=mid:"),
        },
    ),
    message(
        merged_untrusted,
        {
            "names": lambda size: (*names(size), MEMBERS),
            "digits": lambda size: (*filled(b"9", b'{"metadata":', b"}")(size), MEMBERS),
            "nested arrays": lambda size: (*filled(b"[", b'{"dynamicVariables":')(size), MEMBERS),
        },
        MAX_BODY_BYTES,
    ),
    message(
        read_wish_untrusted,
        {
            "names": names,
            "digits": filled(b"9", b'{"transportType":', b"}"),
            "nested arrays": filled(b"[", b'{"metadata":'),
            "a long name": filled(b"A", b'{"', b'":0}'),
            "audio": filled(b'"a":0,', b'{"audioConfiguration":{"inputEncodingType":7,', b'"b":0}}'),
        },
        MAX_WISH,
    ),
    Row(
        parse_offer_untrusted,
        MAX_PIPECAT,
        3,
        {
            "numbers": filled(b"1e9,", b'{"sdp":"","requestData":{"a":[', b"1]}}"),
            "members": filled(b'"a":0,', b'{"sdp":"","x":{', b'"a":0}}'),
            "escapes": filled(b"\\u0041", b'{"sdp":"', b'"}'),
            "nested": filled(b"[", b'{"sdp":"","requestData":'),
        },
    ),
    Row(
        parse_candidates_untrusted,
        MAX_PIPECAT,
        3,
        {
            "candidates": filled(b'{"candidate":""},', b'{"candidates":[', b'{"candidate":""}]}'),
            "a long one": filled(b"a", b'{"candidates":[{"candidate":"', b'"}]}'),
        },
    ),
    Row(
        parse_start_untrusted,
        MAX_PIPECAT,
        3,
        {
            "numbers": filled(b"1e9,", b'{"body":{"a":[', b"1]}}"),
            "members": filled(b'"a":0,', b'{"x":{', b'"a":0}}'),
        },
    ),
    Row(
        parse_message_untrusted,
        MAX_MESSAGE_BYTES,
        3,
        {
            "numbers": filled("1e9,", '{"type":"x","data":[', "1]}"),
            "objects": filled('{"a":1},', '{"type":"x","data":[', "{}]}"),
            "escapes": filled("\\u0041", '{"type":"', '"}'),
            "nested": filled("[", '{"type":"x","data":'),
        },
    ),
    Row(
        parse_event_untrusted,
        MAX_EVENT_BYTES,
        3,
        {
            "numbers": filled("1,", '{"type":"x","a":[', "1]}"),
            "objects": filled('{"a":1},', '{"type":"x","a":[', "{}]}"),
            "escapes": filled("\\u0041", '{"type":"', '"}'),
            "nested": filled("[", '{"type":'),
        },
    ),
    Row(
        parse_object_untrusted,
        MAX_EVENT_BYTES,
        3,
        {"numbers": filled(b"1,", b'{"a":[', b"1]}"), "floats": filled(b"1e99,", b'{"a":[', b"1]}")},
    ),
    Row(
        parse_secret_wish_untrusted,
        MAX_EVENT_BYTES,
        3,
        {"a long session": lambda size: (b'{"session":{"a":"' + b"x" * (size - 20) + b'"}}', 600)},
    ),
    Row(
        parse_preview_wish_untrusted,
        MAX_EVENT_BYTES,
        3,
        {"a long session": lambda size: (b'{"a":"' + b"x" * (size - 8) + b'"}', 600)},
    ),
    Row(
        parse_wish_untrusted,
        MAX_EVENT_BYTES,
        3,
        {
            "parts": lambda size: (FORM, filled(b"\r\n--b\r\n")(size)[0]),
            "one long part": lambda size: (FORM, filled(b"x", b"--b\r\n")(size)[0]),
            "one long header": lambda size: (FORM, filled(b"x", b"--b\r\n", b"\r\n\r\n")(size)[0]),
            "blanks of a type": lambda size: ("multipart/form-data" + ";" * size, b""),
            "an offer alone": lambda size: ("application/sdp", b"x" * size),
            "lines that may have the name": lambda size: (
                FORM,
                filled(b"\r\n--b" + b'\r\ncontent-disposition:form-data;a="";b=;c="";d=;e' * 18 + b"\r\n\r\n")(size)[0],
            ),
        },
    ),
    message(read_attribute_untrusted, {"a long value": attributes("mid")}, longest=MAX_LENGTH),
    message(
        parse_candidate_untrusted,
        {
            "extensions": filled("a b ", "candidate:1 1 udp 1 192.0.2.1 1 typ host "),
            "blanks": filled(" ", "1 1 udp 1 192.0.2.1 1", "typ host"),
            "a long name": filled("a.", "1 1 udp 1 ", " 1 typ host"),
            "a long address": filled("0:", "1 1 udp 1 ", " 1 typ host"),
            "digits": filled("9", "1 1 udp 1 192.0.2.1 1 typ host rport "),
        },
        longest=MAX_CANDIDATE_LENGTH,
    ),
    message(
        parse_session_description_untrusted,
        {
            "short attributes": described("a=x\r\n"),
            "lines that are none": described("x\r\n"),
            "empty lines": described("\n"),
            "sections": filled("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n", DESCRIPTION),
            "unreadable attributes": described("a=ptime:0\r\n"),
            "formats": filled(" 0", DESCRIPTION + "m=audio 9 UDP/TLS/RTP/SAVPF"),
            "bandwidths": described("b=AS:1\r\n"),
            "candidates": described("a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n"),
            "fingerprints": described("a=fingerprint:sha-256 AA:AA\r\n"),
            "sources": described("a=ssrc:1 cname:a\r\n"),
            "one long line": filled("x", DESCRIPTION + "a=x:"),
        },
        longest=MAX_SIZE,
    ),
    message(decode_object_untrusted, JSON, longest=MAX_TYPED_SIZE),
    message(
        parse_client_message_untrusted,
        {
            **SOME_JSON,
            "a candidate": filled("a", CANDIDATE, '"}}'),
            "a mark": filled("9", MARK, "}}"),
            "a key that grows": filled("İ", KEY, '"}}'),
        },
    ),
    message(stream_message_untrusted, {"a key that grows": lambda size: (Event("dtmf", {"digit": "İ" * size}),)}),
    message(parse_server_message_untrusted, {**SOME_JSON, "an event": filled("a", EVENT, '"}}')}),
    message(
        parse_session_request_untrusted,
        {
            "members": body(members),
            "members of nobody's": body(object_of('"a":0,', "{", '"a":0}')),
            "letters that grow": body(filled("İ", '{"campaignId":"', '"}')),
            "floating-point numbers": body(filled("1e9,", REQUEST + ',"metadata":{"x":[', "1]}}")),
            "empty arrays": body(filled("[],", REQUEST + ',"metadata":{"x":[', "1]}}")),
            "long floating-point numbers": body(
                filled("1.23456789012345678901234567e300,", REQUEST + ',"metadata":{"x":[', "1]}}")
            ),
            "arrays in arrays": body(filled("[" * 30 + "]" * 30 + ",", REQUEST + ',"metadata":{"x":[', "1]}}")),
            "a variable of commas": body(filled(r',\"', REQUEST + ',"metadata":{"x":"', '"}}')),
            "a long variable": body(filled("a", REQUEST + ',"metadata":{"x":"', '"}}')),
        },
    ),
    message(
        parse_session_grant_untrusted,
        {
            "members": as_bytes(members),
            "URIs": as_bytes(filled('"stun:a",', GRANT + '"iceServers":[{"urls":[', '"stun:a"]}]}')),
            "servers": as_bytes(filled('{"urls":["stun:a"]},', GRANT + '"iceServers":[', "{}]}")),
        },
    ),
    message(
        parse_queue_place_untrusted,
        {
            "members": as_bytes(members),
            "a long ticket": as_bytes(filled("a", '{"place":1,"retryAfterSeconds":2,"ticket":"', '"}')),
        },
    ),
    message(
        parse_ice_servers_untrusted,
        {
            "URIs": lambda size: ([{"urls": ["stun:a"] * (size // 9)}],),
            "a long URI": lambda size: ([{"urls": ["stun:" + "a." * (size // 2)]}],),
            "servers": lambda size: ([{"urls": ["stun:a"]}] * (size // 20),),
        },
    ),
    message(
        parse_problem_untrusted,
        {
            "a long sentence": as_bytes(filled("a ", '{"detail":"', '"}')),
            "blanks": as_bytes(filled(" ", '{"detail":"', '"}')),
        },
    ),
    message(
        feed,
        {
            "empty control frames": filled(b"\x89\x80mask"),
            "empty fragments": filled(b"\0\x80mask"),
            "short fragments": filled(b"\0\x81maskx"),
            "long lengths": filled(b"\x01\xff\0\0\0\0\0\0\0\0mask"),
        },
        longest=MAX_HEAD,
    ),
    head(
        parse_target_untrusted,
        {
            "fields of a query": filled("a&", "/?"),
            "separators": filled("&", "/?"),
            "equals signs": filled("=", "/?a"),
            "escapes": filled("%61", "/?a="),
            "escapes beyond ASCII": filled("%C3%A9", "/?a="),
            "escapes that are none": filled("%", "/?a="),
            "plus signs": filled("+", "/?a="),
            "a long path": filled("/"),
            "an absolute target": filled("a", "http://"),
            "a long absolute target": filled("/", "http://a"),
            "semicolons": filled(";", "/?a="),
        },
        longest=MAX_TARGET_LENGTH,
    ),
    head(
        parse_forwarded_element_untrusted,
        {
            "elements": hops("for=10.0.0.1,"),
            "empty elements": hops(","),
            "pairs": hops("a=1;"),
            "blanks": hops(" "),
            "quotation marks": filled('"', "for="),
            "a long word": filled("a"),
            "blanks behind a word": filled(" ", "for", "x"),
        },
    ),
    head(
        read_head_untrusted,
        {
            "fields": head_of((b"a", repeated(b"x")), count=MAX_HEADER_FIELDS - 1),
            "one field again and again": head_of((b"cookie", repeated(b"a=1;")), count=MAX_HEADER_FIELDS - 1),
            "bytes beyond ASCII": head_of((b"a", repeated(b"\xff"))),
            "many senders": head_of((b"x-forwarded-for", repeated(b"10.0.0.1,"))),
            "many senders of IPv6": head_of((b"x-forwarded-for", repeated(b"2001:db8::1,"))),
            "commas": head_of((b"x-forwarded-for", repeated(b","))),
            "Forwarded": head_of((b"forwarded", repeated(b"for=10.0.0.1,"))),
            "Forwarded with commas": head_of((b"forwarded", repeated(b"a=b;"))),
            "hosts": head_of((b"x-forwarded-host", repeated(b"a,")), (b"x-forwarded-for", repeated(b"10.0.0.1"))),
        },
    ),
    head(
        parse_authority_untrusted,
        {
            "a name": filled("a"),
            "full stops": filled("."),
            "IPv6": filled("0:", "[", "]"),
            "an address": lambda size: ("[" + "1:" * 7 + "1]:80",),
            "port": filled("9", "a:"),
        },
    ),
    head(
        parse_origin_untrusted,
        {"a name": filled("a", "https://"), "a scheme": filled("a"), "letters that grow": filled("İ")},
    ),
    head(
        parse_session_url_untrusted,
        {"a token": query, "a path": lambda size: ("/ws/session/" + "a" * size + "/webrtc", {})},
        longest=MAX_TARGET_LENGTH,
    ),
    head(
        verify,
        {
            "claims": filled("a", after="." + "s" * 43),
            "full stops": filled("."),
            "no signature": filled("a"),
        },
        longest=MAX_TOKEN_LENGTH,
    ),
)  # fmt: skip
