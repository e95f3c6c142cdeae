"""What belongs to no one person: the registry's Device, units as Organization and Location, users as Practitioner."""

from typing import Any

from janani.programmes import Programme
from janani.sync.mapping.model import Context, Entry, Names, User, profiled, reference
from janani.sync.mapping.people import human_name
from janani.sync.mapping.table import Table
from janani.sync.mapping.values import Json, coding, concept


class Places:
    """Makes shared entries. Each method gives the entries needed for one thing, that thing first."""

    def __init__(self, programme: Programme, table: Table) -> None:
        self._table = table
        self._systems = programme.record.systems

    def device(self, names: Names, context: Context) -> list[Entry]:
        """The Device that stands for the registry, with its owner and its place: the root unit."""
        root = next((unit.path[0] for unit in context.units.values() if unit.path), context.system_id)
        owner, place = self.unit(names, context, root)
        template = self._table.device
        device = profiled(template.profile, self._table) | {
            "resourceType": "Device",
            "status": template.status,
            "deviceName": [{"name": context.name, "type": "user-friendly-name"}],
            "type": concept(template.type, self._table.systems),
            "url": context.url,
            "version": [{"type": {"text": template.version_text}, "value": context.version}],
            "owner": reference(owner.full_url),
            "location": reference(place.full_url),
        }
        entry = names.entry(device, self._systems["system_id"], context.system_id)
        return [entry, owner, place]

    def unit(self, names: Names, context: Context, uid: str) -> list[Entry]:
        """The Organization and the Location of the organisation unit `uid`."""
        unit = context.units.get(uid)
        name = unit.name if unit else uid
        system = self._table.identifiers["organisation_unit"]
        hin = self._table.organization.hin
        organization: Json = {"resourceType": "Organization", "active": True, "name": name}
        claimed: dict[str, Any] = {}
        if unit and unit.code:
            claimed = profiled(self._table.organization.profile, self._table)
            kind = {"coding": [coding(hin.type, self._table.systems)], "text": hin.text}
            number = {"type": kind, "system": self._table.identifiers["hin"], "value": unit.code}
            organization["identifier"] = [number]
        owner = names.entry(claimed | organization, system, uid, first=False)
        location = profiled(self._table.location.profile, self._table) | {
            "resourceType": "Location",
            "status": "active",
            "name": name,
            "managingOrganization": reference(owner.full_url),
        }
        return [owner, names.entry(location, system, uid)]

    def practitioner(self, names: Names, context: Context, user: User) -> Entry:
        """The Practitioner of `user`, of whom the context may know more."""
        known = context.users.get(user.uid, user)
        full = " ".join(part for part in (known.first.strip(), known.surname.strip()) if part) or known.username
        telecom = [
            {"system": kind, "value": value, "use": "work"}
            for kind, value in (("phone", known.phone), ("email", known.email))
            if value
        ]
        named = bool(known.first.strip() and known.surname.strip())
        practitioner: Json = {"resourceType": "Practitioner", "active": True}
        if named:
            given = known.first.split()
            practitioner["name"] = [{"text": full, "family": known.surname.strip(), "given": given}]
        elif full:
            practitioner["name"] = [human_name(full)]
        if telecom:
            practitioner["telecom"] = telecom
        claimed = profiled(self._table.practitioner.profile if named and telecom else "", self._table)
        return names.entry(claimed | practitioner, self._systems["practitioner"], user.uid)
