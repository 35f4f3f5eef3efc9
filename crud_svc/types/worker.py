"""`python -m crud_svc.types.worker`: compiles schemas and validates documents in a process that may be killed.

Frames on standard input and output: four bytes of length, then JSON. It ends when its input does.
"""

from __future__ import annotations

import resource
import signal
import sys
from functools import lru_cache
from typing import BinaryIO

import msgspec

from crud_svc.documents.exact_json import parse, parse_object
from crud_svc.types.engine import Engine, Plain
from crud_svc.types.schemas import MAX_LEVELS, read
from crud_svc.types.violations import NONE, Violations
from eskit.errors import InvalidRequest

LENGTH_BYTES = 4
MAX_MEMORY_BYTES = 2 * 1024**3


class Task(msgspec.Struct, omit_defaults=True):
    """A schema, and a document to hold against it, both as JSON; without one it is only compiled."""

    schema: str
    document: str | None = None
    only_first: bool = False


class Reply(msgspec.Struct, omit_defaults=True):
    """What was found, or why the schema is refused."""

    violations: Violations = NONE
    refused: str = ""
    field: str | None = None


@lru_cache(maxsize=32)
def _engine(schema: str) -> Engine:
    return Engine(read(parse_object(schema.encode(), "The schema", MAX_LEVELS)))


def done(task: Task) -> Reply:
    """The reply to a task."""
    try:
        engine = _engine(task.schema)
    except InvalidRequest as error:
        return Reply(refused=error.detail, field=error.field)
    if task.document is None:
        return Reply()
    document = Plain(parse(task.document.encode()))
    if engine.accepts(document):
        return Reply()
    return Reply(engine.first(document) if task.only_first else engine.violations(document))


def serve(tasks: BinaryIO, replies: BinaryIO) -> None:
    """Work off tasks until there are no more; the first frame, without a task, says that it has started."""
    decoder, encoder = msgspec.json.Decoder(Task), msgspec.json.Encoder()
    frame = encoder.encode(Reply())
    while True:
        replies.write(len(frame).to_bytes(LENGTH_BYTES, "big") + frame)
        replies.flush()
        head = tasks.read(LENGTH_BYTES)
        if len(head) < LENGTH_BYTES:
            return
        frame = encoder.encode(done(decoder.decode(tasks.read(int.from_bytes(head, "big")))))


def main() -> None:
    """Work until the service closes the pipe; Ctrl-C is for the service, which closes it then."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # what it dies of is no news
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
