"""Janani carries a pregnant woman's record from the midwife to the specialist and back to her own phone."""

__version__ = "0.1.0"
