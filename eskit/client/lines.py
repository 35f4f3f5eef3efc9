"""Many small requests to a service as lines of one body, and the result of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from eskit.client.http import Connections, problem_error
from eskit.client.patience import Patience
from eskit.errors import EskitError, Unavailable

NDJSON = {"Content-Type": "application/x-ndjson"}


class LineResult(msgspec.Struct):
    """What became of a line: its status, whether it was stored by this request, and why it was refused."""

    status: int
    stored: bool = False
    problem: dict[str, Any] | None = None

    def error(self) -> EskitError | None:
        """Why it was refused; None where it was not."""
        return None if self.problem is None else problem_error(self.status, self.problem)


_results = msgspec.json.Decoder(LineResult)


async def send_lines(client: Connections, path: str, lines: Sequence[bytes]) -> list[LineResult]:
    """Post lines of which each may safely be repeated, again while any of them fails because something is away.

    A result for each, in order; a line is `stored` when any of the attempts has stored it. Raises Unavailable after the
    client's patience, with some of the lines perhaps stored.
    """
    patience = Patience(client.patience_s)
    body = b"\n".join(lines) + b"\n"
    new: set[int] = set()
    while True:
        answer = await client.call("POST", path, body=body, headers=NDJSON)
        results = _results.decode_lines(answer.body)
        away = _away(results, len(lines))
        for number, result in enumerate(results):
            if result.stored:
                new.add(number)
            result.stored = number in new
        if away is None:
            return results
        await patience.pause(away)


def _away(results: Sequence[LineResult], wanted: int) -> Unavailable | None:
    for result in results:
        if isinstance(error := result.error(), Unavailable):
            return error
    if len(results) != wanted:
        return Unavailable(f"The service answered {len(results)} of {wanted} lines")
    return None
