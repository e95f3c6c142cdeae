"""The tracker: import and export of people, enrolments and events, generated values, and the feed of changes.

`handlers` are its routes, for the registry's app. Import is a pipeline of pure steps (`payload`, `rules`, `plan`,
`report`) around one transaction (`store`); export compiles a search to parameters (`search`) and reads whole trees
with one statement a table (`trees`).
"""

from janani.registry.tracker import importing

handlers = [*importing.handlers]
