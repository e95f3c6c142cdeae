"""The short storm, in every run; `make chaos` is the long one."""

import pytest

from chaos.storm import Storm, report
from system import a_system


@pytest.mark.chaos
async def test_nothing_is_lost_doubled_or_reordered_in_a_storm() -> None:
    with a_system("--no-demo") as system:
        storm = Storm(system, seed=20261121, changes=200, seconds=25)
        wrong = await storm.blow() + await storm.reconciled()
        await storm.client.aclose()
    print(report(storm))
    assert storm.sent.total() == 200
    assert not wrong
