"""Keys come in every format people have them in; what can't be used is refused with what to do."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from joserfc.jwk import ECKey, RSAKey

from janani.kernel.jose import algorithm_of, jwks, sign, verify
from janani.kernel.keyfiles import BadKeyFile, new_pem, read_key
from janani.kernel.keyring import KeyRing
from janani.kernel.secrets import MissingSecret

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def pem() -> bytes:
    return new_pem("verify")


def _parts(pem: bytes) -> tuple[Any, x509.Certificate]:
    return serialization.load_pem_private_key(pem, None), x509.load_pem_x509_certificate(pem)


def _pkcs12(pem: bytes, name: str = "esignet", password: bytes = b"secret") -> bytes:
    key, certificate = _parts(pem)
    return pkcs12.serialize_key_and_certificates(
        name.encode(), key, certificate, None, serialization.BestAvailableEncryption(password)
    )


def test_one_key_is_the_same_from_pem_jwk_and_pkcs12(tmp_path: Path, pem: bytes) -> None:
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "key.p12").write_bytes(_pkcs12(pem))
    one = read_key(tmp_path / "key.pem")
    (tmp_path / "key.jwk").write_bytes(msgspec.json.encode(one.as_dict(private=True)))
    (tmp_path / "keys.json").write_bytes(msgspec.json.encode({"keys": [one.as_dict(private=True)]}))
    others = [
        read_key(tmp_path / "key.p12", password="secret", alias="esignet"),
        read_key(tmp_path / "key.jwk"),
        read_key(tmp_path / "keys.json", alias=one.kid or ""),
    ]
    for other in others:
        assert jwks(other) == jwks(one)
    assert {"kid", "use", "alg", "x5c", "x5t", "x5t#S256"} <= set(jwks(one)["keys"][0])


@pytest.mark.parametrize(("alg", "curve"), [("RS256", False), ("PS256", False), ("ES256", True)])
def test_it_signs_as_it_is_told(tmp_path: Path, pem: bytes, alg: str, curve: bool) -> None:
    (tmp_path / "key.pem").write_bytes(new_pem("x", curve=True) if curve else pem)
    key = read_key(tmp_path / "key.pem", alg=alg)
    assert algorithm_of(key) == alg
    assert isinstance(key, ECKey if curve else RSAKey)
    assert verify(sign({"sub": "x"}, key, alg=alg), key, algorithms=[alg]) == {"sub": "x"}


def test_the_name_of_a_keystore_entry_can_be_its_kid(tmp_path: Path, pem: bytes) -> None:
    (tmp_path / "key.p12").write_bytes(_pkcs12(pem))
    assert read_key(tmp_path / "key.p12", password="secret", kid="esignet").kid == "esignet"


def test_what_cannot_be_used_is_refused_in_words(tmp_path: Path, pem: bytes) -> None:
    small = rsa.generate_private_key(65537, 1024).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate, other = pem[pem.index(b"-----BEGIN CERT") :], new_pem("b")
    files: dict[str, tuple[bytes, dict[str, str], str]] = {
        "old.jks": (
            b"\xfe\xed\xfe\xed\x00\x00\x00\x02",
            {"alias": "one"},
            "-srckeystore old.jks -srcalias one",
        ),
        "wrong.p12": (_pkcs12(pem), {"password": "another"}, "holds no private key that can be used"),
        "name.p12": (_pkcs12(pem), {"password": "secret", "alias": "two"}, "-srcalias two"),
        "small.pem": (small, {}, "2048 bits"),
        "mixed.pem": (other[: other.index(b"-----BEGIN CERT")] + certificate, {}, "another key"),
        "alg.pem": (pem, {"alg": "ES256"}, "expected one of: RS256, PS256"),
        "none.pem": (pem, {"alg": "none"}, "can't sign 'none'"),
        "noise": (os.urandom(40), {}, "holds no private key"),
        "empty.json": (b"{}", {}, "found 0"),
        "secret.json": (b'{"kty":"oct","k":"AAAA","d":"x"}', {}, "found 0"),
        "broken.json": (b'{"kty":', {}, "holds no private key"),
    }
    for name, (content, options, words) in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadKeyFile) as caught:
            read_key(tmp_path / name, **options)
        assert name in str(caught.value)
        assert words in str(caught.value)
    with pytest.raises(BadKeyFile, match="can't be read"):
        read_key(tmp_path / "absent.pem")


def test_a_rotation_publishes_both_keys_and_needs_no_restart(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "relying.pem", create=True)
    running = KeyRing(tmp_path / "relying.pem", create=False)  # in another process
    old = running.current.kid
    new = ring.prepare(NOW).kid
    assert (running.current.kid, [key.kid for key in running.published]) == (old, [old, new])
    with pytest.raises(BadKeyFile, match="waits already"):
        ring.prepare(NOW)
    assert ring.switch().kid == new
    assert (running.current.kid, [key.kid for key in running.published]) == (new, [new, old])
    assert ring.finish()
    assert [key.kid for key in running.published] == [new]
    assert not ring.finish()
    with pytest.raises(BadKeyFile, match="make the next key first"):
        ring.switch()
    assert (ring.path.stat().st_mode & 0o777) == 0o600


def test_a_missing_key_is_made_in_the_sandbox_only(tmp_path: Path) -> None:
    with pytest.raises(MissingSecret, match="is missing"):
        KeyRing(tmp_path / "relying.pem", create=False)


def test_keys_of_other_programs_are_not_rotated_here(tmp_path: Path, pem: bytes) -> None:
    (tmp_path / "key.p12").write_bytes(_pkcs12(pem))
    with pytest.raises(BadKeyFile, match="kept by another program"):
        KeyRing(tmp_path / "key.p12", create=False, password="secret").prepare(NOW)
