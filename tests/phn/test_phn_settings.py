"""The point of issue must fit the version of the numbers it issues, or nothing starts."""

import pytest

from janani.settings import InvalidSettings, load


@pytest.mark.parametrize(
    ("version", "point", "fine"),
    [
        ("1", "2034", True),
        ("1", "JANANI22", False),
        ("2", "KANDYTH1", True),
        ("2", "2034", False),
        ("2", "kandyth1", False),
    ],
)
def test_point_of_issue(version: str, point: str, fine: bool, tmp_path: object) -> None:
    environ = {
        "JANANI_HOME": str(tmp_path),
        "JANANI_PHN__ISSUE_VERSION": version,
        "JANANI_PHN__POINT_OF_ISSUE": point,
    }
    if fine:
        assert load(environ=environ).phn.point_of_issue == point
        return
    with pytest.raises(InvalidSettings, match=r"phn\.point_of_issue"):
        load(environ=environ)
