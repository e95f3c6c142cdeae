"""What the doctor typed is never lost: the form alone, with all of it, while her record can't be shown."""

from typing import Any

from litestar import Request, Response
from msgspec import Struct, field

from janani.clients.fhir import FhirError
from janani.kernel.i18n import _
from janani.portals import record_access
from janani.portals.doctor.pages import PORTAL, show
from janani.portals.problems import NotFound
from janani.portals.state import state_of


class Kept(Struct, frozen=True):
    """A form that was sent for a woman; `values` are what its page shows beside what was typed into it."""

    request: Request[Any, Any, Any]
    patient_id: str
    typed: dict[str, str]
    values: dict[str, Any] = field(default_factory=dict)

    def logged_out(self) -> Response[str]:
        """The form again, with the way to log in."""
        return self._page(401, _("Your login has ended."))

    async def ending(self, error: FhirError) -> Response[str]:
        """What follows when the record did not answer as hoped: the form again. Raises NotFound."""
        if error.status in (403, 404, 410):
            raise NotFound from error
        if error.status == 401:
            await record_access.failed(self.request, error, PORTAL)
            return self.logged_out()
        return self._page(503, _("The health record does not answer just now."))

    def _page(self, status: int, why: str) -> Response[str]:
        state = state_of(self.request)
        return show(
            None,
            "doctor_kept.html",
            status=status,
            why=why,
            login=status == 401,
            patient_id=self.patient_id,
            typed=self.typed,
            faults={},
            chart=record_access.chart_of(state),
            today=record_access.now_of(state).date(),
            **self.values,
        )
