"""What sections inherit from their session costs once, however many of them there are."""

import pytest
from glottis.sdp.attributes import Fmtp, parse_fmtp_untrusted
from glottis.sdp.parser import MAX_MEDIA_SECTIONS, parse_session_description_untrusted
from glottis.sdp.section import Section, bundle_groups_untrusted, sections_untrusted


def read_sections(*session_lines: str, count: int = MAX_MEDIA_SECTIONS) -> tuple[Section, ...]:
    head = ("v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", *session_lines)
    media = (f"m=audio 9 UDP/TLS/RTP/SAVPF 111\na=mid:{index}" for index in range(count))
    return sections_untrusted(parse_session_description_untrusted("\n".join((*head, *media))))


def test_inherited_line_is_read_once() -> None:
    read: list[str] = []

    def parse(value: str) -> Fmtp:
        read.append(value)
        return parse_fmtp_untrusted(value)

    lines = [f"a=fmtp:111 x={number}" for number in range(60)]
    for section in read_sections(*lines):
        assert [fmtp.parameters["x"] for fmtp in section.read_all_untrusted("fmtp", parse)] == [*map(str, range(60))]
    assert len(read) == 60


@pytest.mark.parametrize("line", ["a=group:BUNDLE 0 1 2", "a=group:BUNDLE"])
def test_groups_are_no_more_than_sections(line: str) -> None:
    sections = read_sections(*[line] * 60, count=3)
    assert len(bundle_groups_untrusted(sections)) == 3
