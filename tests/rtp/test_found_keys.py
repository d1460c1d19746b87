"""Keys that are found as tones, beside telephone events of the same caller."""

import pytest
from glottis import LocalError
from glottis.rtp import FoundKeys, KeyDown, KeyUp

EVENT = (KeyDown("7"), KeyUp(0.1))


def test_what_is_found_is_told_once_in_its_order() -> None:
    keys = FoundKeys()
    keys.down("1")
    keys.up(0.08)
    keys.down("#")
    assert keys.joined(()) == [KeyDown("1"), KeyUp(0.08), KeyDown("#")]
    assert keys.joined(()) == ()
    keys.up(2.0)
    assert keys.joined(()) == [KeyUp(2.0)]


def test_nothing_is_found_any_more_once_the_caller_sends_telephone_events() -> None:
    keys = FoundKeys()
    assert keys.joined(EVENT) == EVENT
    keys.down("7")
    keys.up(0.1)
    assert keys.joined(()) == ()
    assert keys.joined(EVENT) == EVENT


def test_a_key_that_is_down_is_let_go_when_the_first_telephone_event_comes() -> None:
    keys = FoundKeys()
    keys.down("7")
    assert keys.joined(EVENT) == [KeyDown("7"), KeyUp(0.0), *EVENT]
    keys.up(0.1)
    assert keys.joined(()) == ()


@pytest.mark.parametrize("digit", ["", "E", "12", "a"])
def test_what_is_no_key_cannot_be_pressed(digit: str) -> None:
    with pytest.raises(LocalError, match="expected one of"):
        FoundKeys().down(digit)


def test_one_key_is_down_at_a_time() -> None:
    keys = FoundKeys()
    keys.up(1.0)
    assert keys.joined(()) == ()
    keys.down("1")
    with pytest.raises(LocalError, match="before the key before it is up"):
        keys.down("2")
