"""A mail server that keeps what it is sent, for tests: enough of SMTP for one message at a time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class FakeSmtp:
    """`refuse`: what RCPT is answered instead of 250, while it is set."""

    port: int = 0
    refuse: str = ""
    calls: int = 0
    mails: list[EmailMessage] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls += 1
        writer.write(b"220 fake\r\n")
        while line := await reader.readline():
            verb = line.split()[0].upper()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                text = await reader.readuntil(b"\r\n.\r\n")
                self.mails.append(message_from_bytes(text[:-3], policy=policy.default))  # type: ignore[arg-type]
            if verb == b"RCPT" and self.refuse:
                writer.write(f"{self.refuse} no\r\n".encode())
            else:
                writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 yes\r\n")
            if verb == b"QUIT":
                break
        await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def fake_smtp() -> AsyncIterator[FakeSmtp]:
    fake = FakeSmtp()
    server = await asyncio.start_server(fake.talk, "127.0.0.1", 0)
    fake.port = server.sockets[0].getsockname()[1]
    async with server:
        yield fake
