"""Files of calls: what was written is read, whatever comes after it."""

import json
import struct

import pytest
from glottis import BytesMessage, Malformed, OtherEvent, TextMessage
from glottis.wire.call_file import (
    MAGIC,
    MAX_CONTENT,
    MAX_SECONDS,
    CallFile,
    Entry,
    Kind,
    encode_entry,
    event_content,
    message_content,
    parse_call_file_untrusted,
)

ENTRIES = [Entry(kind, float(kind), bytes(kind)) for kind in Kind]
WRITTEN = MAGIC + b"".join(map(encode_entry, ENTRIES))


def test_what_was_written_is_read_and_kinds_of_later_versions_are_passed_over() -> None:
    assert parse_call_file_untrusted(WRITTEN) == CallFile(ENTRIES, True)
    unknown = struct.pack("<BdI", 99, 1.0, 3) + b"new"
    assert parse_call_file_untrusted(MAGIC + unknown + WRITTEN[len(MAGIC) :]) == CallFile(ENTRIES, True)


@pytest.mark.parametrize("cut", [1, 8, 20])
def test_file_that_breaks_off_is_whole_up_to_its_last_entry(cut: int) -> None:
    assert parse_call_file_untrusted(WRITTEN[:-cut]) == CallFile(ENTRIES[:-1], False)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "no file that begins"),
        (MAGIC.replace(b"1", b"2"), "another version"),
        (MAGIC + struct.pack("<BdI", Kind.RTP, 0.0, MAX_CONTENT + 1), "an entry of"),
        (MAGIC + struct.pack("<BdI", Kind.RTP, MAX_SECONDS + 1, 0), "a time of"),
        (MAGIC + struct.pack("<BdI", Kind.RTP, float("nan"), 0), "a time of nan"),
    ],
)
def test_what_is_no_such_file_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(Malformed, match=complaint):
        parse_call_file_untrusted(data)


def test_texts_are_kept_of_bytes_how_many_and_events_in_one_order() -> None:
    assert message_content(TextMessage("hello", "chat")) == b"hello"
    assert json.loads(message_content(BytesMessage(bytes(7), "files"))) == {"bytes": 7, "channel": "files"}
    assert event_content(OtherEvent("mood", {"b": 1, "a": 2})) == b'{"data":{"a":2,"b":1},"name":"mood"}'
