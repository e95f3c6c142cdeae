"""`janani check`: what it asks for is what is needed here."""

from pathlib import Path

import msgspec
import pytest

from janani import checks
from janani.settings import Esignet, Settings


async def test_keys_of_a_part_that_a_product_stands_in_for_are_not_asked_for(tmp_path: Path) -> None:
    settings = msgspec.structs.replace(Settings(), home=str(tmp_path))
    elsewhere = msgspec.structs.replace(settings, esignet=Esignet(here=False, url="https://esignet.example"))
    with pytest.raises(checks.Fault, match=r"esignet\.pem"):
        await checks._keys(settings)
    with pytest.raises(checks.Fault, match=r"relying\.pem") as fault:
        await checks._keys(elsewhere)
    assert "esignet" not in str(fault.value)
