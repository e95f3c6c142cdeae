"""What carries a message to a person: SMTP for e-mail, an HTTP gateway for text messages.

A gateway sends once and raises NotSent; trying again is the queue's business (`delivery`). Nothing here logs an
address, a text, or what a server said of them.
"""

import asyncio
import smtplib
import ssl
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from urllib.parse import quote, unquote, urlsplit

import httpx
import msgspec
from msgspec import Struct

from janani.kernel.secrets import secret
from janani.settings import Settings

SECONDS = 10
SMS_SECRET, SMTP_SECRET = "esignet-sms", "esignet-smtp"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Message(Struct, frozen=True):
    """A message to one address."""

    to: str
    subject: str
    text: str


class NotSent(Exception):
    """The message was not accepted. `reason` is a code for the trail; `final` when trying again won't help."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.final = reason, final


def channels(settings: Settings) -> tuple[str, ...]:
    """The channels that have a gateway."""
    options = settings.esignet
    return tuple(name for name, url in (("email", options.smtp_url), ("phone", options.sms_url)) if url)


async def send(settings: Settings, http: httpx.AsyncClient, channel: str, message: Message) -> None:
    """Hands `message` to the gateway of `channel`. Raises NotSent, MissingSecret."""
    if channel == "email":
        await asyncio.to_thread(_mail, settings, message)
    else:
        await _post(settings, http, message)


def sms_body(template: str, kind: str, message: Message) -> bytes:
    """`template` with `{to}` and `{text}` filled in, each escaped for `kind` (`json` or `form`)."""

    def escaped(value: str) -> str:
        return msgspec.json.encode(value).decode()[1:-1] if kind == "json" else quote(value, safe="")

    text = template.replace("{to}", "\x00").replace("{text}", escaped(message.text))
    return text.replace("\x00", escaped(message.to)).encode()


async def _post(settings: Settings, http: httpx.AsyncClient, message: Message) -> None:
    options = settings.esignet
    name, _, value = options.sms_header.partition(":")
    form = "application/x-www-form-urlencoded"
    headers = {"content-type": "application/json" if options.sms_type == "json" else form}
    if name:
        headers[name.strip()] = value.strip().replace("{secret}", secret(settings.secrets, SMS_SECRET, create=False))
    body = sms_body(options.sms_body, options.sms_type, message)
    try:
        answer = await http.post(options.sms_url, content=body, headers=headers, timeout=SECONDS)
    except httpx.HTTPError as error:
        raise NotSent(type(error).__name__) from None
    if not answer.is_success:
        again = answer.status_code >= 500 or answer.status_code in (401, 403, 408, 425, 429)
        raise NotSent(f"http_{answer.status_code}", final=not again)


def _mail(settings: Settings, message: Message) -> None:
    """Sends an e-mail, in a thread of its own. `smtp:` asks for STARTTLS, except on this machine; `smtps:` is TLS."""
    url = urlsplit(settings.esignet.smtp_url)
    host, trust = url.hostname or "", ssl.create_default_context()
    try:
        mail = _email(settings.esignet.smtp_from, message)
        if url.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, url.port or 465, timeout=SECONDS, context=trust)
        else:
            server = smtplib.SMTP(host, url.port or 587, timeout=SECONDS)
        with server:
            if url.scheme != "smtps" and host not in _LOOPBACK:
                server.starttls(context=trust)
            if url.username:
                server.login(unquote(url.username), secret(settings.secrets, SMTP_SECRET, create=False))
            server.send_message(mail)
    except smtplib.SMTPRecipientsRefused as error:
        code = next(iter(error.recipients.values()), (450, b""))[0]
        raise NotSent(f"smtp_{code}", final=code >= 500) from None
    except smtplib.SMTPResponseException as error:
        raise NotSent(f"smtp_{error.smtp_code}") from None
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise NotSent(type(error).__name__) from None


def _email(sender: str, message: Message) -> EmailMessage:
    """Raises NotSent when the address is none that mail can have."""
    try:
        to = Address(addr_spec=message.to)
    except (MessageError, ValueError, IndexError):
        raise NotSent("bad_address", final=True) from None
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = message.subject
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    return mail
