"""The table of states, and that the transport goes by it."""

import pytest
from glottis.contracts.errors import LocalError
from glottis.dtls import Certificate, Closed, DtlsState, DtlsTransport
from glottis.dtls.states import TRANSITIONS, Happening


def test_every_state_but_the_first_is_reached_and_every_happening_told() -> None:
    assert {DtlsState.NEW, *TRANSITIONS.values()} == set(DtlsState)
    assert {happening for _, happening in TRANSITIONS} == set(Happening)


def test_nothing_leads_out_of_an_end() -> None:
    assert {state for state, _ in TRANSITIONS}.isdisjoint({DtlsState.CLOSED, DtlsState.FAILED})


@pytest.mark.parametrize("started", [False, True])
def test_a_closed_transport_stays_closed_and_says_so_once(started: bool) -> None:
    transport = DtlsTransport(certificate=Certificate.generate(), client=True)
    if started:
        transport.start(0.0)
    for _ in range(2):
        transport.close()
    with pytest.raises(LocalError, match="only a new transport"):
        transport.start(1.0)
    assert transport.state is DtlsState.CLOSED
    assert [transport.next_event(), transport.next_event()] == [Closed(remote=False), None]
    assert transport.next_timeout() is None
