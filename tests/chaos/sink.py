"""A real SMTP server that keeps what it accepts: one line of JSON a mail, on the disk before it says 250.

python -m tests.chaos.sink FILE PORT
"""

import asyncio
import json
import os
import sys
import time
from email import message_from_bytes
from email.header import decode_header, make_header
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session


class Keeper:
    """Takes every mail and writes down what it was."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        mail = message_from_bytes(envelope.content)
        line = {
            "at": time.time(),
            "id": mail["Message-ID"],
            "to": envelope.rcpt_tos,
            "subject": str(make_header(decode_header(mail["Subject"]))),
        }
        os.write(self._file, json.dumps(line).encode() + b"\n")
        os.fdatasync(self._file)
        return "250 Kept"


async def serve(file: Path, port: int) -> None:
    keeper = Keeper(file)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(keeper, hostname="sink", loop=loop), "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
