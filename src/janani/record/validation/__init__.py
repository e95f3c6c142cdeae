"""Is a resource what it says it is? R4's structure first, then every profile it claims in `meta.profile`.

`Validator.load(folder)` reads two compact files, the R4 base (`r4.json.gz`, beside this module) and the programme's
profiles (`<folder>/profiles.json.gz`), both made by `python -m janani.record.validation.build` from the official
definitions. Each type and profile is compiled to closures when it is first met; checking walks no definitions.
"""

from janani.record.validation.validator import Validator

__all__ = ["Validator"]
