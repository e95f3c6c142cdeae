"""The short storm, in every run; `make chaos` is the long one."""

import pytest

from chaos.faults import FaultLog
from chaos.storm import Storm, report
from system import a_system


def test_each_fault_is_told_with_its_second_in_the_order_in_which_they_happened() -> None:
    faults = FaultLog()
    for what in ("record 503", "kill sync", "record 503"):
        faults.struck(what)
    assert faults.lines() == ["     0.0 s  record 503", "     0.0 s  kill sync", "     0.0 s  record 503"]
    assert faults.counts() == ["     1 kill sync", "     2 record 503"]


@pytest.mark.chaos
async def test_nothing_is_lost_doubled_or_reordered_in_a_storm() -> None:
    with a_system("--no-demo") as system:
        storm = Storm(system, seed=20261121, changes=200, seconds=25)
        wrong = await storm.blow() + await storm.reconciled()
        await storm.client.aclose()
    print(report(storm))
    assert storm.sent.total() == 200
    assert not wrong
