"""The authority for Patient Health Numbers: looks people up, compares, issues, checks numbers.

Speaks: FHIR R4 below `/fhir`: PDQm search (`GET /Patient?identifier=…`), `Patient/$match`, `Patient/$issue` and
`Patient/$check-number` (our operations), create and conditional update of demographics. Called by: a registry's
Routes, with `Authorization: ApiToken …`. Calls: nothing but its PostgreSQL schema `phn`. A national client registry
that speaks PDQm can stand in its place.
"""
