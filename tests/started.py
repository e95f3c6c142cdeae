"""`janani` as tests start it fifty times a run: the shipped program, less what half of a start goes into.

That is OpenSSL's search for factors in keys that the tests made themselves.
What a start takes is measured by `bench/startup.py`, over the program as it is; `tests/test_start.py` has it so, too.
"""

import runpy
from typing import Any

import joserfc._rfc7517.pem
import joserfc._rfc7518.rsa_key
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


class _Numbers:
    """RSAPrivateNumbers, whose key is believed."""

    def __init__(self, **numbers: Any) -> None:
        self._numbers = rsa.RSAPrivateNumbers(**numbers)

    def private_key(self) -> rsa.RSAPrivateKey:
        return self._numbers.private_key(unsafe_skip_rsa_key_validation=True)


_load = serialization.load_pem_private_key


def _believed(data: bytes, password: bytes | None, backend: Any = None) -> Any:
    return _load(data, password, backend, unsafe_skip_rsa_key_validation=True)


if __name__ == "__main__":
    serialization.load_pem_private_key = _believed  # type: ignore[assignment]
    joserfc._rfc7517.pem.load_pem_private_key = _believed  # type: ignore[attr-defined]
    joserfc._rfc7518.rsa_key.RSAPrivateNumbers = _Numbers  # type: ignore[attr-defined, misc]
    runpy.run_module("janani", run_name="__main__", alter_sys=True)
