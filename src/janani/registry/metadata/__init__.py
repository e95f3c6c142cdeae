"""Metadata as DHIS2 keeps it: any type of object, read with `fields` and `filter`, imported as packages."""
