import random
import re

from glottis.ice import IceAgent
from glottis.ice.credentials import Credentials


def test_credentials_are_long_enough_and_of_ice_characters() -> None:
    agent = IceAgent(controlling=False, rng=random.SystemRandom())
    assert re.fullmatch(r"[A-Za-z0-9+/]{4,256}", agent.local_ufrag)
    assert re.fullmatch(r"[A-Za-z0-9+/]{22,256}", agent.local_pwd)


def test_no_two_sessions_share_credentials() -> None:
    agents = [IceAgent(controlling=False, rng=random.SystemRandom()) for _ in range(100)]
    assert len({agent.local_ufrag for agent in agents}) == len({agent.local_pwd for agent in agents}) == 100


def test_password_does_not_show_in_logs() -> None:
    assert "secret" not in repr(Credentials("ufrag", "a secret password"))
