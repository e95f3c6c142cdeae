"""What the pages work out from what was typed: age, due date, weeks, body mass index, forms of a NIC. Pure."""

from datetime import date, timedelta

from janani.programmes import Programme
from janani.programmes.sri_lanka import parse_nic

PREGNANCY_DAYS = 280
_LONGEST_WEEKS = 45
_NEW_CARDS_ONLY = 2000


def filled(programme: Programme, values: dict[str, str], on: date) -> dict[str, str]:
    """`values` with what can be worked out and was left empty. Age always follows the date of birth."""
    elements = programme.registry.elements
    found = with_age(programme, values, on)
    if (last_period := day(values.get(elements["lmp"]))) is not None and last_period <= on:
        found.setdefault(elements["edd"], due_date(last_period).isoformat())
        found.setdefault(elements["poa_registration"], str(weeks(last_period, on)))
    height, weight = _number(values.get(elements["height"])), _number(values.get(elements["weight"]))
    if height and weight:
        found.setdefault(elements["bmi"], f"{weight / (height / 100) ** 2:.1f}")
    return found


def with_age(programme: Programme, values: dict[str, str], on: date) -> dict[str, str]:
    """`values` with her age by the date of birth among them, when there is one."""
    roles = programme.registry.attributes
    born = day(values.get(roles["birth_date"]))
    return values | ({roles["age"]: str(years(born, on))} if born and years(born, on) > 0 else {})


def due_date(last_period: date) -> date:
    """Expected date of delivery: first day of the last period plus 280 days (Naegele's rule)."""
    return last_period + timedelta(days=PREGNANCY_DAYS)


def weeks(last_period: date, on: date) -> int:
    """Completed weeks since the last period (period of amenorrhoea)."""
    return (on - last_period).days // 7


def weeks_pregnant(last_period: date | None, on: date) -> int | None:
    """`weeks`, if they can be those of a pregnancy."""
    found = weeks(last_period, on) if last_period else -1
    return found if 0 <= found <= _LONGEST_WEEKS else None


def years(born: date, on: date) -> int:
    """Completed years of age."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def day(text: str | None) -> date | None:
    """The date at the beginning of `text` (a date or an instant), if it is one."""
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None


def nic_forms(text: str) -> list[str]:
    """Every way the same card's number may have been written: as given, the new card's 12 digits, the old card's."""
    nic = parse_nic(text)
    if nic is None:
        return [text]
    new, forms = nic.new_form, [nic.number, nic.new_form]
    if nic.year < _NEW_CARDS_ONLY and nic.serial.startswith("0"):
        forms += [f"{new[2:7]}{new[8:]}{letter}" for letter in "VX"]
    return list(dict.fromkeys(forms))


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
