"""What is known of how far a client has played, by the marks that it sends back."""

import pytest
from glottis.calls.websocket.marks import MARK_PERIOD, SPURT_END, Marks
from glottis.signaling.messages import Mark

FRAME = 0.02


class Stream:
    """What goes to a client, at the pace of time from ``now`` on."""

    def __init__(self) -> None:
        self.now = 100.0
        self.marks = Marks()
        self.sent: list[bytes | Mark] = []

    def speak(self, seconds: float) -> None:
        for _ in range(round(seconds / FRAME)):
            self.sent += self.marks.place([(b"audio", FRAME)], self.now)
            self.now += FRAME

    def rest(self, seconds: float) -> None:
        for _ in range(round(seconds / FRAME)):
            self.sent += self.marks.place([], self.now)
            self.now += FRAME

    def come_back(self, number: int) -> None:
        self.marks.come_back(Mark(number), self.now)

    @property
    def unheard(self) -> float:
        return self.marks.unheard(self.now)


@pytest.fixture
def stream() -> Stream:
    return Stream()


def test_marks_stand_at_the_beginning_and_the_end_and_between(stream: Stream) -> None:
    stream.speak(MARK_PERIOD)
    stream.speak(0.1)
    stream.rest(2 * SPURT_END)
    stream.rest(60)
    kinds = [item.id if isinstance(item, Mark) else "audio" for item in stream.sent]
    assert kinds == [1, *25 * ["audio"], 2, *5 * ["audio"], 3]


def test_who_sends_no_mark_back_has_heard_what_was_sent(stream: Stream) -> None:
    stream.speak(60)
    assert stream.unheard == 0


def test_between_marks_time_goes_on_and_not_beyond_the_next(stream: Stream) -> None:
    stream.speak(0.3)
    assert stream.unheard == 0
    stream.come_back(1)  # it begins to play now
    assert stream.unheard == pytest.approx(0.3)
    stream.speak(0.4)
    assert stream.unheard == pytest.approx(0.3)
    stream.speak(2)
    assert stream.unheard == pytest.approx(2.7 - MARK_PERIOD)  # its playout has come no further, for all it tells
    stream.come_back(3)
    assert stream.unheard == pytest.approx(2.7 - 2 * MARK_PERIOD)


def test_a_pause_is_no_time_in_which_later_speech_was_played(stream: Stream) -> None:
    stream.speak(0.2)
    stream.rest(1)
    stream.come_back(2)
    assert stream.unheard == 0
    stream.rest(60)
    stream.speak(0.2)
    assert stream.unheard == pytest.approx(0.2)
    stream.come_back(3)
    stream.rest(0.1)
    assert stream.unheard == pytest.approx(0.1)


def test_marks_of_what_was_dropped_tell_nothing(stream: Stream) -> None:
    stream.speak(0.6)
    stream.come_back(1)
    stream.marks.flush(stream.now)
    assert stream.unheard == 0
    stream.speak(0.2)
    stream.come_back(2)
    assert stream.unheard == pytest.approx(0.2)
    stream.come_back(3)
    stream.rest(0.1)
    assert stream.unheard == pytest.approx(0.1)


@pytest.mark.parametrize("number", [0, 2, 1 << 52])
def test_marks_that_were_not_sent_tell_nothing(number: int, stream: Stream) -> None:
    stream.speak(0.2)
    stream.come_back(number)
    assert stream.unheard == 0


def test_another_client_begins_anew(stream: Stream) -> None:
    stream.speak(0.2)
    stream.come_back(1)
    stream.marks.forget()
    stream.speak(5)
    assert stream.unheard == 0
