from pathlib import Path

import pytest
from joserfc.errors import JoseError

from janani.kernel.jose import jwks, sign, signing_key, verify
from janani.kernel.secrets import MissingSecret


def test_a_key_is_made_once_and_published_without_its_private_half(tmp_path: Path) -> None:
    key = signing_key(tmp_path / "a.pem", create=True)
    assert signing_key(tmp_path / "a.pem", create=False).kid == key.kid
    [public] = jwks(key)["keys"]
    assert {"kid", "use", "alg", "x5c", "x5t", "x5t#S256", "n", "e"} <= set(public)
    assert not {"d", "p", "q"} & set(public)


def test_only_the_right_key_verifies(tmp_path: Path) -> None:
    mine, other = signing_key(tmp_path / "a.pem", create=True), signing_key(tmp_path / "b.pem", create=True)
    token = sign({"sub": "x"}, mine)
    assert verify(token, mine) == {"sub": "x"}
    with pytest.raises(JoseError):
        verify(token, other)


def test_a_missing_key_is_refused_in_production(tmp_path: Path) -> None:
    with pytest.raises(MissingSecret):
        signing_key(tmp_path / "a.pem", create=False)
