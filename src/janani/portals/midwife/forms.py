"""Forms made from the registry's metadata: sections, fields, options; reading what was typed. Pure."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from msgspec import Struct, field

from janani.kernel import i18n
from janani.kernel.i18n import _
from janani.programmes import Plausible

Json = dict[str, Any]
_SAID = "translations[locale,property,value]"
_QUESTION = (
    f"id,displayName,displayFormName,displayDescription,{_SAID},valueType,optionSet[options[code,displayName,{_SAID}]]"
)
PROGRAM_FIELDS = (
    "id,displayName,version,organisationUnits[id,displayName,path],"
    f"programSections[id,displayName,{_SAID},sortOrder,trackedEntityAttributes[id]],"
    "programTrackedEntityAttributes[mandatory,sortOrder,allowFutureDate,trackedEntityAttribute"
    f"[{_QUESTION},unique,generated]],"
    f"programStages[id,displayName,executionDateLabel,{_SAID},repeatable,programStageSections[id,displayName,"
    f"displayDescription,{_SAID},sortOrder,dataElements[id]],programStageDataElements[compulsory,allowFutureDate,"
    f"sortOrder,dataElement[{_QUESTION}]]]"
)
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,15})?", re.ASCII)
_OLDEST_YEAR = 1900
_WHOLE_NUMBERS = ("INTEGER", "INTEGER_POSITIVE", "INTEGER_ZERO_OR_POSITIVE", "INTEGER_NEGATIVE")
_NUMBERS = (*_WHOLE_NUMBERS, "NUMBER", "PERCENTAGE", "UNIT_INTERVAL")


def said(one: Json, *properties: str) -> str:
    """A text of an object of the metadata in the language of this request, else as the registry shows it.

    `properties` are DHIS2's names of what is translated (NAME, FORM_NAME …); the first that is there counts.
    """
    translations = {
        each["property"]: each["value"]
        for each in one.get("translations", [])
        if each["locale"].replace("-", "_").partition("_")[0] == i18n.current()
    }
    shown = {"NAME": "displayName", "FORM_NAME": "displayFormName", "DESCRIPTION": "displayDescription"}
    return next((text for name in properties if (text := translations.get(name) or one.get(shown[name]))), "")


class Field(Struct):
    """One question. `value_type` is DHIS2's; `options` are (code, words)."""

    id: str
    label: str
    hint: str
    value_type: str
    mandatory: bool
    future: bool
    options: list[tuple[str, str]]
    name: str = ""

    @property
    def control(self) -> str:
        """The kind of control that suits it: choice, select, check, date, number, phone, long or text."""
        if self.options:
            return "choice" if len(self.options) <= 3 else "select"
        kinds = {"BOOLEAN": "yesno", "TRUE_ONLY": "check", "DATE": "date", "PHONE_NUMBER": "phone", "LONG_TEXT": "long"}
        return kinds.get(self.value_type, "number" if self.value_type in _NUMBERS else "text")


class Section(Struct):
    """A headed group of questions; a folded one is opened by who needs it."""

    title: str
    hint: str
    fields: list[Field] = field(default_factory=list)
    folded: bool = False

    def open(self, values: dict[str, str], faults: dict[str, str]) -> bool:
        """Whether there is anything in it to be seen."""
        return any(each.id in values or each.id in faults for each in self.fields)


def attribute_sections(program: Json, *, hidden: set[str]) -> list[Section]:
    """The sections of a programme's attributes; those in `hidden` are left to the page itself."""
    fields = {}
    for row in sorted(program["programTrackedEntityAttributes"], key=lambda row: row.get("sortOrder", 0)):
        one = row["trackedEntityAttribute"]
        fields[one["id"]] = _field(one, mandatory=row.get("mandatory", False), future=row.get("allowFutureDate", False))
    shown = {uid: each for uid, each in fields.items() if uid not in hidden}
    sections = []
    for part in sorted(program.get("programSections", []), key=lambda part: part.get("sortOrder", 0)):
        own = [shown.pop(ref["id"]) for ref in part["trackedEntityAttributes"] if ref["id"] in shown]
        sections.append(Section(said(part, "NAME"), "", own))
    sections.append(Section(_("Further details"), "", list(shown.values())))
    return [section for section in sections if section.fields]


def stage_sections(
    program: Json, stage_uid: str, *, hidden: frozenset[str] = frozenset(), folded: frozenset[str] = frozenset()
) -> list[Section]:
    """The sections of a stage's data elements; `folded` are UIDs of sections."""
    stage = stage_of(program, stage_uid)
    fields = {}
    for row in sorted(stage["programStageDataElements"], key=lambda row: row.get("sortOrder", 0)):
        one = row["dataElement"]
        fields[one["id"]] = _field(
            one, mandatory=row.get("compulsory", False), future=row.get("allowFutureDate", False)
        )
    sections = []
    for part in sorted(stage.get("programStageSections", []), key=lambda part: part.get("sortOrder", 0)):
        own = [fields.pop(ref["id"]) for ref in part["dataElements"] if ref["id"] in fields]
        own = [each for each in own if each.id not in hidden]
        sections.append(Section(said(part, "NAME"), said(part, "DESCRIPTION"), own, part["id"] in folded))
    sections.append(Section(said(stage, "NAME"), "", [each for each in fields.values() if each.id not in hidden]))
    return [section for section in sections if section.fields]


def stage_of(program: Json, stage_uid: str) -> Json:
    """The stage `stage_uid` of a programme."""
    stage: Json = next(stage for stage in program["programStages"] if stage["id"] == stage_uid)
    return stage


def _field(one: Json, *, mandatory: bool, future: bool) -> Field:
    options = [(each["code"], said(each, "NAME")) for each in one.get("optionSet", {}).get("options", [])]
    return Field(
        id=one["id"],
        label=said(one, "FORM_NAME", "NAME"),
        name=said(one, "NAME"),
        hint=said(one, "DESCRIPTION"),
        value_type=one["valueType"],
        mandatory=mandatory,
        future=future,
        options=options,
    )


def read(sections: list[Section], sent: dict[str, str]) -> dict[str, str]:
    """What was typed, tidied: blanks around it gone, a decimal comma as a point, nothing that is not a field."""
    values = {}
    for each in all_fields(sections):
        text = sent.get(each.id, "").strip()
        if each.control == "number":
            text = text.replace(",", ".")
        if text:
            values[each.id] = text
    return values


def faults(
    sections: list[Section], values: dict[str, str], today: date, plausible: Sequence[Plausible] = ()
) -> dict[str, str]:
    """What is missing or can't be right, by field, in words. The registry has the last word on the rest."""
    found, bounds = {}, {one.element: one for one in plausible}
    for each in all_fields(sections):
        text = values.get(each.id, "")
        fault = _missing(each) if not text and each.mandatory else _fault(each, text, today) if text else ""
        if text and not fault and each.id in bounds:
            fault = _implausible(each, text, today, bounds[each.id])
        if fault:
            found[each.id] = fault
    return found


def all_fields(sections: list[Section]) -> list[Field]:
    """The fields of all sections, in order."""
    return [each for section in sections for each in section.fields]


def _missing(each: Field) -> str:
    return _("Please fill in: {label}.").format(label=each.label)


def _fault(each: Field, text: str, today: date) -> str:
    if each.options and text not in {code for code, _words in each.options}:
        return _("Please choose one of the answers for: {label}.").format(label=each.label)
    if each.value_type == "DATE":
        return _date_fault(each, text, today)
    if each.value_type in _NUMBERS:
        return _number_fault(each, text)
    return ""


def _implausible(each: Field, text: str, today: date, bounds: Plausible) -> str:
    if each.value_type == "DATE":
        if bounds.days is None or (today - date.fromisoformat(text)).days <= bounds.days:
            return ""
        return _("{label}: please check: this is more than {weeks} weeks ago.").format(
            label=each.label, weeks=bounds.days // 7
        )
    number = float(text)
    if (bounds.least is not None and number < bounds.least) or (bounds.most is not None and number > bounds.most):
        least, most = ("" if one is None else f"{one:g}" for one in (bounds.least, bounds.most))
        return _("{label}: please check. {number} is not between {least} and {most}.").format(
            label=each.label, number=text, least=least, most=most
        )
    return ""


def _date_fault(each: Field, text: str, today: date) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return _("{label}: please give day, month and year.").format(label=each.label)
    if day.year < _OLDEST_YEAR:
        return _("{label}: please check the year.").format(label=each.label)
    if day > today and not each.future:
        return _("{label}: this day has not come yet.").format(label=each.label)
    return ""


def _number_fault(each: Field, text: str) -> str:
    if not _NUMBER.fullmatch(text):
        return _("{label}: please give a number.").format(label=each.label)
    number = float(text)
    if each.value_type in _WHOLE_NUMBERS and "." in text:  # 3,000 may be three or three thousand
        return _("{label}: please give a whole number.").format(label=each.label)
    least = {"INTEGER_POSITIVE": 1, "INTEGER_ZERO_OR_POSITIVE": 0}.get(each.value_type)
    if least is not None and number < least:
        return _("{label}: this can't be less than {least}.").format(label=each.label, least=least)
    return ""
