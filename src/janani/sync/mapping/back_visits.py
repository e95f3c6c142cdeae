"""Encounter and ServiceRequest (referral) as data values of an event."""

from collections.abc import Callable, Iterator, Mapping

from janani.sync.mapping import reading
from janani.sync.mapping.reading import codings, stage_roles
from janani.sync.mapping.table import Catalogue, Field, ReferralTemplate, Table
from janani.sync.mapping.values import Json, Unfit

Refuse = Callable[[str, str], None]
Found = Iterator[tuple[Field, str]]


class VisitBack:
    """Reads by the table's templates; `one_way` as in Back."""

    def __init__(self, table: Table, catalogue: Catalogue, stages: Mapping[str, str]) -> None:
        self._table, self._catalogue, self._stages = table, catalogue, stages
        self.one_way = list(self._lost())

    def read(self, resource: Json, stage: str, refuse: Refuse) -> Iterator[tuple[str, str, str]]:
        """(data element UID, stage role or "", text) of everything the resource says."""
        if resource["resourceType"] == "Encounter":
            for field, text in self._examiner(resource):
                roles = stage_roles(field.uid, self._catalogue, self._stages)
                role = stage if stage in roles else next(iter(roles)) if len(roles) == 1 else ""
                yield field.uid, role, text
            return
        template = self._template(resource, stage)
        if template is None:
            return
        for field, text in self._referral(template, resource, refuse):
            try:
                yield field.uid, template.stage, reading.fit(field, text)
            except Unfit as unfit:
                refuse(field.code, str(unfit))

    def _examiner(self, encounter: Json) -> Found:
        examiner = self._table.encounter.examiner
        if examiner is None:
            return
        field, system = self._catalogue.elements[examiner.element], self._table.systems[examiner.system]
        for participant in encounter.get("participant") or ():
            for concept in participant.get("type") or ():
                for given, code in codings(concept):
                    if given == system and code in field.options:
                        yield field, code
                        return

    def _template(self, request: Json, stage: str) -> ReferralTemplate | None:
        """The template with a code of the request; its intent, then the stage decide between several."""
        given = set(codings(request.get("code")))
        found = [one for one in self._table.referrals if reading.key(one.code, self._table.systems) in given]
        found = [one for one in found if one.intent == request.get("intent")] or found
        found = [one for one in found if one.stage == stage] or found
        return found[0] if len(found) == 1 else None

    def _referral(self, template: ReferralTemplate, request: Json, refuse: Refuse) -> Found:
        elements = self._catalogue.elements
        if template.when and request.get("status") != "revoked":
            yield elements[template.when], "true"
        if template.priority:
            options = {code: option for option, code in reversed(template.priority.values.items())}
            if request.get("priority") in options:
                yield elements[template.priority.element], options[request["priority"]]
        yield from self._reasons(template, request, refuse)
        if template.clinic:
            yield from self._clinic(template, request)

    def _reasons(self, template: ReferralTemplate, request: Json, refuse: Refuse) -> Found:
        texts = [one.get("text") for one in request.get("reasonCode") or () if isinstance(one, dict)]
        words = [one for one in texts if isinstance(one, str) and one.strip()]
        if template.reason and words:
            field = self._catalogue.elements[template.reason]
            options = {name: code for code, name in field.options.items()}
            if words[0] in options:
                yield field, options[words.pop(0)]
        if len(words) > 1 and len(template.reason_texts) == 1:
            words = ["\n".join(words)]
        if len(words) == len(template.reason_texts):
            yield from (
                (self._catalogue.elements[code], text) for code, text in zip(template.reason_texts, words, strict=True)
            )
        elif words:
            refuse("/".join(template.reason_texts), "it can't be told which reason is which")

    def _clinic(self, template: ReferralTemplate, request: Json) -> Found:
        field = self._catalogue.elements[template.clinic]
        options = {name: code for code, name in field.options.items()}
        for performer in request.get("performer") or ():
            if isinstance(performer, dict) and performer.get("display") in options:
                yield field, options[performer["display"]]
                return

    def _lost(self) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
        for one in self._table.referrals:
            label = f"referrals: {one.stage}"
            if one.task:
                yield label, "", "the Task says nothing that its ServiceRequest does not", ()
            if one.when:
                yield label, one.when, "nothing is written when false", ("false",)
                for code in filter(None, [one.reason, *one.reason_texts, one.clinic]):
                    yield label, code, f"only when {one.when} is true", ()
            if len(one.reason_texts) > 1:
                for code in one.reason_texts:
                    yield label, code, "several reasons look the same", ()
            if one.priority:
                field = self._catalogue.elements[one.priority.element]
                unmapped = tuple(sorted(set(field.options) - set(one.priority.values)))
                if unmapped:
                    yield label, field.code, "no priority", unmapped
