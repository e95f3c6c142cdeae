"""The PHN authority as the midwife reaches it: through the registry's Route, as herself."""

from msgspec import Struct

from janani.clients.phn import Demographics, PhnClient, PhnError
from janani.kernel import i18n
from janani.kernel.i18n import _
from janani.portals.midwife import access
from janani.portals.midwife.access import Midwife
from janani.portals.midwife.derived import day
from janani.portals.midwife.drafts import Number
from janani.portals.problems import Away, LoginNeeded
from janani.programmes import Programme


class Alike(Struct):
    """Someone the authority knows who may be this woman."""

    phn: str
    name: str
    birth_date: str
    reasons: list[str]


async def look_up(midwife: Midwife, number: str) -> Number:
    """What the authority knows under `number`: her demographics, or why there are none, in words. Raises Away."""
    authority = _authority(midwife)
    try:
        checked = await authority.check(number)
        if not checked.result:
            text = _("The check digit does not fit: one character was probably mistyped. Compare it with her card.")
            return Number(number=number, fault=text)
        holder = await authority.lookup(checked.number)
    except PhnError as error:
        raise await _away(midwife, error) from error
    if holder is None:
        text = _("Nobody is known under this number. Compare it with her card, or clear it to go on without.")
        return Number(number=checked.number, fault=text, warning=checked.message)
    known = attributes(holder.demographics, midwife.state.programme)
    return Number(number=holder.phn, warning=checked.message, known=known)


async def alike(midwife: Midwife, fields: dict[str, str], subject: str) -> list[Alike]:
    """Who may be the same woman: by verified identity, NIC, or name and date of birth. Raises Away."""
    try:
        found = await _authority(midwife).match(demographics(midwife.state.programme, fields, subject))
    except PhnError as error:
        raise await _away(midwife, error) from error
    return [
        Alike(
            phn=one.holder.phn,
            name=one.holder.demographics.name,
            birth_date=str(one.holder.demographics.birth_date or ""),
            reasons=[reason.text for reason in one.reasons],
        )
        for one in found
    ]


async def issue(midwife: Midwife, fields: dict[str, str], subject: str, request_id: str) -> str:
    """A new PHN for this woman; the same `request_id` gives the same number again. Raises Away."""
    person = demographics(midwife.state.programme, fields, subject)
    try:
        return (await _authority(midwife).issue(person, request_id=request_id, confirm_distinct=True)).phn
    except PhnError as error:
        raise await _away(midwife, error) from error


async def confirm(midwife: Midwife, number: str, fields: dict[str, str], subject: str) -> str:
    """Tells the authority who holds `number`, now that the midwife has seen her. Raises Away."""
    try:
        return (await _authority(midwife).record(number, demographics(midwife.state.programme, fields, subject))).phn
    except PhnError as error:
        raise await _away(midwife, error) from error


def demographics(programme: Programme, fields: dict[str, str], subject: str) -> Demographics:
    """The form's answers as the authority takes them."""
    roles = programme.registry.attributes
    return Demographics(
        name=fields.get(roles["full_name"], ""),
        birth_date=day(fields.get(roles["birth_date"])),
        gender=fields.get(roles["gender"], "").lower(),
        phone=fields.get(roles["phone"], ""),
        address=fields.get(roles["address"], ""),
        nic=fields.get(roles["nic"], ""),
        subject=subject,
    )


def attributes(known: Demographics, programme: Programme) -> dict[str, str]:
    """What the authority knows, by the programme's attributes."""
    roles = programme.registry.attributes
    found = {
        roles["full_name"]: known.name,
        roles["birth_date"]: str(known.birth_date or ""),
        roles["gender"]: known.gender.capitalize(),
        roles["phone"]: known.phone,
        roles["nic"]: known.nic,
        roles["address"]: known.address,
    }
    return {uid: value for uid, value in found.items() if value}


def _authority(midwife: Midwife) -> PhnClient:
    code = midwife.state.programme.registry.routes["phn"]
    return PhnClient(
        midwife.state.http,
        f"{midwife.registry.api}/routes/{code}/run",
        f"Bearer {midwife.session.access_token}",
        midwife.state.programme,
        language=i18n.current(),
    )


async def _away(midwife: Midwife, error: PhnError) -> Away | LoginNeeded:
    if error.status == 401:
        return await access.over(midwife)
    if error.status in (409, 412, 422) and error.text:
        return Away(error.text)
    if error.status == 0:  # the registry itself, through which the number service is reached
        return Away(_("The registry does not answer just now. What you typed is kept. Please try again in a minute."))
    return Away(_("The number service does not answer just now. What you typed is kept. Please try again in a minute."))
