"""Who may do what in the record: SMART App Launch 2.2 and Backend Services, and the audit trail she can read.

People sign in through eSignet; services and portals prove who they are by `private_key_jwt`. What `app.py` needs:

    async with open_authorization(settings, clock, pool, validator) as authorization:
        app.state.authorization = authorization          # the handlers and `authenticate` look here
        Door(..., auditor=authorization.auditor)

- `handlers`: the routes `/auth/…` and `/fhir/.well-known/smart-configuration`, with their own error rendering.
- `await authenticate(request) -> Actor`: from the Bearer token; FhirProblem 401 with WWW-Authenticate otherwise.
- `authorization.auditor` is the `Auditor` of `record.access`: one insert a request into `audit`. A background task
  turns these rows into AuditEvent resources (searchable, in her compartment) within a second; to have them at once,
  before a read or search of AuditEvent: `await authorization.auditor.settle(connection)`.
"""

from janani.record.authorization.audit import AuditLog
from janani.record.authorization.routes import handlers
from janani.record.authorization.service import Authorization, authenticate, open_authorization

__all__ = ["AuditLog", "Authorization", "authenticate", "handlers", "open_authorization"]
