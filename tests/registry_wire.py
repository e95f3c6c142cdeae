"""How tests talk to a registry."""

ADMIN = ("admin", "district")
