from glottis.turn import AllocationState
from glottis.turn.states import TRANSITIONS


def test_every_state_can_be_reached_and_what_has_ended_stays_ended() -> None:
    reached = {AllocationState.NEW, *TRANSITIONS.values()}
    assert reached == set(AllocationState)
    left = {state for state, _ in TRANSITIONS}
    assert reached - left == {AllocationState.CLOSED, AllocationState.REDIRECTED, AllocationState.FAILED}
