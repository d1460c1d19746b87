from glottis.contracts.moments import earliest


def test_the_earliest_of_those_that_there_are() -> None:
    assert earliest(None, 3.0, None, 0.0, 2.0) == 0.0
    assert earliest(None, None) is None
    assert earliest() is None
