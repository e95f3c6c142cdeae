"""The rules of tracker import (reference §2.5–2.7): one file an object, plain functions, no queries.

A rule takes an object and the `Check` around it and gives the faults it found. Rules that depend on one another run
with `first` (stop at the first that finds something), independent ones with `every`.
"""
