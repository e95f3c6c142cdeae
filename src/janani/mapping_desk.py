"""`janani mapping check|show|test|coverage`: a mapping table read, tried and measured without starting anything.

Above the parts: it holds what the sync's table makes against the record's own validator.
"""

import asyncio
import contextlib
import hashlib
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Column
from rich.table import Table as Grid

from janani import __version__, programmes
from janani import settings as configuration
from janani.kernel.problems import RefusesToStart
from janani.programmes import Programme, ProgrammeFault, fault, nearest
from janani.settings import Settings

if TYPE_CHECKING:
    from janani.record.validation import Validator
    from janani.sync.mapping import Mapper

mapping = App(name="mapping", help="The table that says what of the registry becomes what in the record.")

_out = Console(highlight=False, markup=False, soft_wrap=True)
_WIDE = 200
_err = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
_Name = Annotated[str, Parameter(help="A programme of the package, or a folder (with a slash). Default: the setting.")]


@mapping.command
def check(programme: _Name = "", /) -> None:
    """Find every mistake before the start: names, types, codes, and profiles by an example of each row."""
    found = _programme(programme)
    faults = list(_faults(found))
    for one in faults:
        _err.print(one)
    if faults:
        _fail(f"{len(faults)} {'mistake' if len(faults) == 1 else 'mistakes'}.")
    from janani.sync.mapping import checking
    from janani.sync.mapping.coverage import coverage

    table, catalogue, _ = checking.inspect(found)
    covered = coverage(table, catalogue)
    _out.print(f"{found.folder}: in order. {covered.named} of {covered.total} fields are carried.")


@mapping.command
def show(
    programme: _Name = "",
    /,
    *,
    source: Annotated[bool, Parameter(negative="", help="Print the Python that the table becomes.")] = False,
    back: Annotated[bool, Parameter(negative="", help="Print what does not come back as it went, and why.")] = False,
) -> None:
    """Print the table row by row: what it reads, and the resource, code and value it makes."""
    found = _programme(programme)
    if source:
        _out.print(_source(found))
    elif back:
        _print(_one_way(found))
    else:
        _print(_rows(found))


@mapping.command(name="test")
def run_cases(programme: _Name = "", /) -> None:
    """Run the example cases in the programme's folder `tests`."""
    from janani.sync import mapping as sync_mapping
    from janani.sync.mapping import cases

    mapper = _compiled(_programme(programme))
    failed = count = 0
    try:
        for path, case in cases.read_cases(mapper.programme, mapper.catalogue):
            person = cases.tracked_entity(mapper.programme, mapper.catalogue, case.attributes, case.events)
            mapped: sync_mapping.Mapped = mapper.map(person, cases.context(mapper.table))
            problems = cases.problems(case, [entry.resource for entry in mapped.entries])
            problems += [f"{left.field} was left out: {left.reason}" for left in mapped.left_out]
            count, failed = count + 1, failed + bool(problems)
            _out.print(f"{'✗' if problems else '✓'} {path.name}: {case.name}")
            for problem in problems:
                _out.print(f"    {problem}")
    except ProgrammeFault as error:
        _fail(str(error))
    if not count:
        _fail(f"There are no cases in {mapper.programme.folder / cases.FOLDER}.")
    if failed:
        _fail(f"{failed} of {count} cases failed.")
    _out.print(f"{count} {'case holds' if count == 1 else 'cases hold'}.")


@mapping.command
def coverage(
    programme: _Name = "",
    /,
    *,
    at_least: Annotated[float, Parameter(help="Fail below this percentage of fields.")] = 0,
) -> None:
    """List the data elements and attributes that no row names, and how many per cent have one."""
    from janani.sync.mapping import checking
    from janani.sync.mapping import coverage as measuring

    try:
        table, catalogue, _ = checking.inspect(_programme(programme))
    except ProgrammeFault as error:
        _fail(str(error))
    covered = measuring.coverage(table, catalogue)
    attributes = {field.uid for field in catalogue.attributes.values()}
    for field in covered.missing:
        _out.print(f"{'attribute' if field.uid in attributes else 'element  '}  {field.uid}  {field.code}")
    _out.print(f"{covered.named} of {covered.total} fields have a row: {covered.percent:.1f} %.")
    if covered.percent < at_least:
        _fail(f"Wanted: at least {at_least:g} %.")


async def try_before_start(settings: Settings, parts: Sequence[str], report: Callable[[str], None]) -> None:
    """`janani mapping check` of a table of somebody's own, when it changed since it was last in order.

    Only where the sync is among the `parts`; a table of this package was tried with it. In a process of its own, for
    what it needs would stay in memory. Raises ProgrammeFault with all that it found.
    """
    programme = programmes.load(settings.programme) if "sync" in parts else None
    if programme is None or programme.mapper != "table" or programme.folder.parent == Path(programmes.__file__).parent:
        return
    mark, digest = settings.folder / "mapping-tried", _digest(programme)
    with contextlib.suppress(OSError):
        if mark.read_text() == digest:
            return
    words = (sys.executable, "-m", "janani", "mapping", "check", str(programme.folder))
    child = await asyncio.create_subprocess_exec(*words, stdout=DEVNULL, stderr=PIPE)
    _, said = await child.communicate()
    if child.returncode == -signal.SIGINT:
        raise KeyboardInterrupt
    if child.returncode:
        raise ProgrammeFault(said.decode(errors="replace").strip() or f"{' '.join(words)} failed: {child.returncode}")
    report(f"an example of each row of {programme.folder / 'mapping.yaml'}")
    with contextlib.suppress(OSError):  # the start says what is wrong with the folder
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(digest)


def _digest(programme: Programme) -> str:
    """Changes with everything that the check looks at."""
    paths = [programme.folder / name for name in ("programme.yaml", "mapping.yaml", programme.registry.metadata)]
    found = hashlib.sha256(__version__.encode())
    for path in (*paths, programme.profiles / "profiles.json.gz"):
        found.update(hashlib.sha256(path.read_bytes() if path.is_file() else b"").digest())
    return found.hexdigest()


def _programme(name: str) -> Programme:
    try:
        return programmes.load(name or configuration.load().programme)
    except (RefusesToStart, configuration.InvalidSettings) as error:
        _fail(str(error))


def _compiled(programme: Programme) -> "Mapper":
    from janani.sync import mapping as sync_mapping

    try:
        return sync_mapping.compile(programme)
    except ProgrammeFault as error:
        _fail(f"{error}\nSee all mistakes: janani mapping check")


def _faults(programme: Programme) -> Iterator[str]:
    """Every mistake as `file:line  what is wrong`; examples are tried only when the rest is in order."""
    from janani.sync.mapping import checking

    try:
        _, _, found = checking.inspect(programme)
        plain = [str(fault(programme.folder / file, place, text)) for file, place, text in found]
    except ProgrammeFault as error:
        yield str(error)
        return
    yield from plain
    if not plain:
        from janani.record.validation import Validator

        profiles = programme.profiles if (programme.profiles / "profiles.json.gz").is_file() else None
        seen = list(dict.fromkeys(_example_faults(programme, Validator.load(profiles))))
        yield from (str(fault(programme.folder / "mapping.yaml", place, text)) for place, text in seen)


def _example_faults(programme: Programme, validator: "Validator") -> Iterator[tuple[str, str]]:
    """What the record would say to an example of each row; without profiles, what R4 says."""
    from janani.sync.mapping.examples import examples, rows
    from janani.sync.mapping.model import LeftOut

    mapper = _compiled(programme)
    wanted = rows(mapper.table, mapper.catalogue)
    for place, made in examples(mapper):
        wanted.discard(place)
        if isinstance(made, LeftOut):
            yield place, f"an example of {made.field} can't be carried: {made.reason}"
            continue
        known = set(validator.known)
        for profile in made.get("meta", {}).get("profile", ()):
            if known and profile not in known:
                yield place, f"no profile {profile} in {programme.record.profiles}; {nearest(profile, known)}"
        for issue in validator.validate(made):
            if issue.severity in ("error", "fatal"):
                yield place, f"the record refuses an example: {issue.diagnostics} ({issue.expression})"
    yield from ((place, "no example of this row gave anything") for place in sorted(wanted))


def _rows(programme: Programme) -> Grid:
    from janani.sync.mapping.showing import lines

    grid = _grid("what is read", "resource", "code", "value")
    for line in lines(_compiled(programme).table):
        grid.add_row(line.reads, line.resource, line.code, line.value)
    return grid


def _grid(*names: str) -> Grid:
    columns = (Column(name, overflow="fold") for name in names)
    return Grid(*columns, box=None, header_style="bold", pad_edge=False)


def _print(grid: Grid) -> None:
    """As wide as the screen; where there is none (a pipe), wide enough that lines stay whole."""
    (_out if _out.is_terminal else Console(width=_WIDE, highlight=False, markup=False)).print(grid, soft_wrap=False)


def _one_way(programme: Programme) -> Grid:
    from janani.sync.mapping.back import compile_back

    grid = _grid("row", "field", "values", "why")
    for one in compile_back(programme).one_way:
        grid.add_row(one.row, one.field, ", ".join(one.texts) or "all", one.reason)
    return grid


def _source(programme: Programme) -> str:
    source = getattr(_compiled(programme), "source", None)
    if not isinstance(source, str):
        _fail("This mapper has no generated source.")
    return source


def _fail(text: str) -> NoReturn:
    _err.print(text)
    sys.exit(1)
