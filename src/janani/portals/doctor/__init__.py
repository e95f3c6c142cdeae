"""Placeholder until the pages are here."""

handlers: list[object] = []
