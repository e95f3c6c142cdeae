"""A signing key and its neighbours in a rotation, each a file: what signs, and what is published beside it.

    prepare():  relying.pem signs            relying.next.pem made, published beside it
    switch():   relying.next.pem signs now   the old one stays published as relying.previous.pem
    finish():   relying.previous.pem is gone

Between the steps the provider is told of the new key, and tokens signed by the old one run out.
"""

import os
from datetime import datetime
from pathlib import Path

from joserfc.jwk import ECKey

from janani.kernel.keyfiles import BadKeyFile, SigningKey, new_pem, read_key
from janani.kernel.secrets import MissingSecret, write_private


class KeyRing:
    """The key at `path`, re-read when its files change, so a rotation needs no restart.

    Args:
        create: make a key and a self-signed certificate when there is none (sandbox).
        also: further key files to publish; of the same password.
        password, alias, alg, kid: as in `keyfiles.read_key`.

    Raises MissingSecret, BadKeyFile.
    """

    def __init__(
        self,
        path: Path,
        *,
        create: bool,
        also: tuple[Path, ...] = (),
        password: str = "",
        alias: str = "",
        alg: str = "",
        kid: str = "",
    ) -> None:
        self.path, self._also = path, also
        self._password, self._alias, self._alg, self._kid = password, alias, alg, kid
        self._files = [str(one) for one in (path, self.next, self.previous, *also)]
        self._seen: list[tuple[str, int]] = []
        self._keys: list[SigningKey] = []
        if not path.exists():
            if not create:
                raise MissingSecret(
                    f"{path} is missing. Put a private key there: PKCS#12, PEM with certificate, or JWK."
                )
            write_private(path, new_pem(path.stem))
        self._reread()

    @property
    def next(self) -> Path:
        """Where the key of the next rotation waits."""
        return self.path.with_name(f"{self.path.stem}.next{self.path.suffix}")

    @property
    def previous(self) -> Path:
        """Where the key of the last rotation stays published."""
        return self.path.with_name(f"{self.path.stem}.previous{self.path.suffix}")

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        self._reread()
        return self._keys[0]

    @property
    def published(self) -> tuple[SigningKey, ...]:
        """Every key others may meet: the one that signs, the next, the previous."""
        self._reread()
        return tuple(self._keys)

    def prepare(self, now: datetime) -> SigningKey:
        """Makes the next key and publishes it. Raises BadKeyFile when one waits already, or the file isn't ours."""
        self._ours()
        if self.next.exists():
            raise BadKeyFile(f"{self.next} waits already: make it known to the provider, then switch to it.")
        curve = isinstance(self.current, ECKey)
        write_private(self.next, new_pem(self.path.stem, now, curve=curve))
        return read_key(self.next, alg=self._alg)

    def switch(self) -> SigningKey:
        """Signs with the next key from now on; the old one stays published. Raises BadKeyFile when none waits."""
        self._ours()
        if not self.next.exists():
            raise BadKeyFile(f"{self.next} is not there: make the next key first.")
        write_private(self.previous, self.path.read_bytes())
        self.next.replace(self.path)
        return self.current

    def finish(self) -> bool:
        """Withdraws the previous key; whether there was one."""
        found = self.previous.exists()
        self.previous.unlink(missing_ok=True)
        return found

    def _ours(self) -> None:
        if b"-----BEGIN" not in self.path.read_bytes():
            raise BadKeyFile(f"{self.path} is kept by another program: make the new key there, and name both files.")

    def _reread(self) -> None:
        seen = [(one, at) for one, at in ((one, _changed(one)) for one in self._files) if at is not None]
        if seen == self._seen:
            return
        files = [Path(one) for one, _ in seen]
        first = read_key(self.path, password=self._password, alias=self._alias, alg=self._alg, kid=self._kid)
        others = [read_key(one, password=self._password, alg=self._alg) for one in files if one != self.path]
        self._keys, self._seen = [first, *(one for one in others if one.kid != first.kid)], seen


def _changed(file: str) -> int | None:
    """When `file` was last written (ns since 1970); None when it is not there. It is asked at each signature."""
    try:
        return os.stat(file).st_mtime_ns
    except OSError:
        return None
