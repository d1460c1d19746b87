"""Values that do not show all that they have."""

from glottis.wire.discreet import Discreet


class Login(Discreet, frozen=True):
    hidden = frozenset({"password"})

    user: str
    password: str


ANNA = Login("anna", "sesame")


def test_what_is_hidden_is_in_no_representation() -> None:
    assert repr(ANNA) == f"{ANNA}" == "Login(user='anna')"
    assert ANNA.__rich_repr__() == [("user", "anna")]


def test_it_is_compared_all_the_same() -> None:
    assert Login("anna", "open") != ANNA
    assert hash(ANNA) == hash(Login("anna", "sesame"))
