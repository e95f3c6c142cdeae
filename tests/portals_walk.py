"""A midwife's browser without scripts: pages, forms and redirects over the real wires of a running system."""

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urljoin, urlsplit

import httpx
from litestar import Litestar

from esignet_wire import Wire

NIRMALA, FATHIMA = "1000000001", "1000000002"
_MEMBERS = {
    "client_id": "clientId",
    "redirect_uri": "redirectUri",
    "response_type": "responseType",
    "acr_values": "acrValues",
    "claims_locales": "claimsLocales",
    "code_challenge": "codeChallenge",
    "code_challenge_method": "codeChallengeMethod",
}


class Switch(httpx.AsyncBaseTransport):
    """What the portals' server sends goes through here; services whose path or address is named `away` are away."""

    def __init__(self) -> None:
        self.away: set[str] = set()
        self.seen: list[httpx.Request] = []
        self._real = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        if any(word in str(request.url) for word in self.away):
            raise httpx.ConnectError("away", request=request)
        return await self._real.handle_async_request(request)

    async def aclose(self) -> None:
        await self._real.aclose()


@dataclass
class Form:
    """A form of a page: where it goes, what stands in it, its buttons by their words."""

    action: str
    values: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, dict[str, str]] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.text: list[str] = []
        self._button: dict[str, str] | None = None
        self._words: list[str] = []
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        one = {name: value or "" for name, value in attributes}
        if tag == "form":
            self.forms.append(Form(one.get("action", "")))
        elif not self.forms:
            return
        elif tag == "input" and one.get("name"):
            if one.get("type") not in ("radio", "checkbox") or "checked" in one:
                self.forms[-1].values[one["name"]] = one.get("value", "")
        elif tag == "select":
            self._select = one["name"]
        elif tag == "option" and self._select and ("selected" in one or self._select not in self.forms[-1].values):
            self.forms[-1].values[self._select] = one.get("value", "")
        elif tag == "textarea":
            self._area = one["name"]
            self.forms[-1].values[self._area] = ""
        elif tag == "button":
            self._button, self._words = one, []

    def handle_endtag(self, tag: str) -> None:
        if tag == "button" and self._button is not None:
            self.forms[-1].buttons[" ".join("".join(self._words).split())] = self._button
            self._button = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self._button is not None:
            self._words.append(data)
        if self._area:
            self.forms[-1].values[self._area] += data


class Page:
    """An answer as a person sees it."""

    def __init__(self, answer: httpx.Response) -> None:
        self.status, self.url, self.html, self.answer = answer.status_code, str(answer.url), answer.text, answer
        parser = _Forms()
        parser.feed(answer.text if "html" in answer.headers.get("content-type", "") else "")
        self.forms, self.text = parser.forms, " ".join("".join(parser.text).split())

    def form_with(self, button: str) -> Form:
        """The form that has this button."""
        return next(form for form in self.forms if button in form.buttons)

    @property
    def path(self) -> str:
        return urlsplit(self.url).path


class Browser:
    """One person's browser. `app` answers for the portals, the network for everybody else."""

    def __init__(self, app: Litestar, portals: str, esignet: str) -> None:
        self.portals, self.esignet = portals, esignet
        self.own = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=portals)
        self.world = httpx.AsyncClient()
        self.provider = httpx.AsyncClient(base_url=esignet)
        self.code: dict[str, str] = {}

    async def close(self) -> None:
        for client in (self.own, self.world, self.provider):
            await client.aclose()

    async def get(self, path: str, **headers: str) -> Page:
        """The page behind `path`, redirects within the portals and the registry followed."""
        return await self._follow(await self.own.get(path, headers={"sec-fetch-site": "same-origin"} | headers))

    async def post(self, path: str, data: dict[str, str], **headers: str) -> Page:
        """The page after a form."""
        answer = await self.own.post(path, data=data, headers={"sec-fetch-site": "same-origin"} | headers)
        return await self._follow(answer)

    async def press(self, page: Page, button: str, **answers: str) -> Page:
        """Presses `button` on `page` after filling `answers` in (an empty one clears)."""
        form = page.form_with(button)
        pressed = form.buttons[button]
        data = form.values | answers
        if pressed.get("name"):
            data[pressed["name"]] = pressed.get("value", "")
        return await self.post(pressed.get("formaction") or form.action or page.path, data)

    async def _follow(self, answer: httpx.Response) -> Page:
        while answer.has_redirect_location:
            target = urljoin(str(answer.url), answer.headers["location"])
            if target.startswith(self.esignet):
                break
            client = self.own if target.startswith(self.portals) else self.world
            answer = await client.get(target)
        return Page(answer)

    async def log_in(self, national_id: str = NIRMALA, path: str = "/midwife/login") -> Page:
        """Logs in at the midwife's portal, with eSignet unless the registry knows her still; the page afterwards."""
        gone = await self.get(path)
        if not gone.answer.has_redirect_location:
            return gone
        back = await self.consent(gone.answer.headers["location"], national_id)
        return await self._follow(await self.world.get(back))

    async def consent(self, authorize_url: str, national_id: str, *, withhold: tuple[str, ...] = ()) -> str:
        """Number, code and consent at eSignet; the address it sends the browser back to."""
        query = dict(parse_qsl(urlsplit(authorize_url).query))
        wire = Wire(self.provider)
        asked: dict[str, Any] = {member: query[name] for name, member in _MEMBERS.items() if name in query}
        asked |= {name: query[name] for name in ("scope", "nonce", "state", "display", "prompt") if name in query}
        if "claims" in query:
            asked["claims"] = json.loads(query["claims"])
        if "request_uri" in query:  # the request was pushed: the address says nothing of it
            begun = await wire.par_oauth_details(query["client_id"], query["request_uri"])
        else:
            begun = await wire.oauth_details(**asked)
        details = begun.json()["response"]
        assert not (await wire.send_otp(national_id)).json()["errors"]
        assert not (await wire.authenticate(national_id)).json()["errors"]
        shared = [*details["essentialClaims"], *details["voluntaryClaims"]]
        answer = (await wire.auth_code(*(claim for claim in shared if claim not in withhold))).json()["response"]
        separator = "&" if "?" in answer["redirectUri"] else "?"
        back = {"code": answer["code"], "state": answer["state"], "iss": details["configs"]["issuer"]}
        return str(answer["redirectUri"] + separator + str(httpx.QueryParams(back)))

    async def verify(self, page: Page, national_id: str, **how: Any) -> Page:
        """Verify with National ID in the same window, from the form on `page` back to it."""
        going = await self.press(page, "Verify with National ID")
        link = going.html.partition('class="nhsuk-button" role="button" href="')[2].partition('"')[0]
        back = await self.consent(link.replace("&amp;", "&"), national_id, **how)
        thanks = await self.get(back.removeprefix(self.portals))
        return await self.press(thanks, "Continue")


def state_of(url: str) -> str:
    """The state in an address."""
    return parse_qs(urlsplit(url).query)["state"][0]
