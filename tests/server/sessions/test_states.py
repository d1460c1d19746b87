"""The states of a session in the order that CONTRACT §2 gives them."""

from itertools import pairwise

from glottis.server.sessions.states import TRANSITIONS, Happening, SessionState


def test_a_call_that_comes_about_passes_all_states_in_order() -> None:
    states = [SessionState.CREATED]
    for happening in Happening:
        states.append(TRANSITIONS[states[-1], happening])
    assert states == list(SessionState)


def test_every_state_that_is_alive_can_end_and_no_other() -> None:
    endings = {state for state, happening in TRANSITIONS if happening is Happening.END}
    assert endings == {state for state in SessionState if state.alive}
    assert [state.value for state in SessionState if state.alive] == ["created", "connecting", "active"]


def test_no_state_is_come_back_to() -> None:
    order = list(SessionState)
    assert all(order.index(before) < order.index(after) for (before, _), after in TRANSITIONS.items())
    assert all(any(TRANSITIONS.get((before, what)) is after for what in Happening) for before, after in pairwise(order))
