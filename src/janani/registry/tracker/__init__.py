"""The tracker: import and export of people, enrolments and events, generated values, and the feed of changes.

`handlers` are its routes and `lifespan` what it keeps while the application runs, both for the registry's app.
Import is a pipeline of pure steps (`payload`, `rules`, `plan`, `report`) around one transaction (`store`); export
compiles a search to parameters (`search`) and reads whole trees with one statement a table (`trees`).
"""

from janani.registry.tracker import changes, exporting, generated, importing
from janani.registry.tracker.changes import lifespan

__all__ = ["handlers", "lifespan"]
handlers = [*importing.handlers, *exporting.handlers, *changes.handlers, *generated.handlers]
