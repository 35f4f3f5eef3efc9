"""Client of the offsets service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from eskit.client.http import ServiceClient, problem_error, segment
from eskit.errors import EskitError, Unavailable
from eskit.offsets import MAX_CLAIM, MAX_COMMITS, Claim, Claims, Commit, Committed, ConsumersPage, ConsumerState


class _Results(msgspec.Struct):
    results: list[dict[str, Any]]


_claims = msgspec.json.Decoder(Claims)
_committed = msgspec.json.Decoder(Committed)
_results = msgspec.json.Decoder(_Results)
_page = msgspec.json.Decoder(ConsumersPage)
_consumer = msgspec.json.Decoder(ConsumerState)
_JSON = {"Content-Type": "application/json"}


class OffsetsClient(ServiceClient):
    """Claim partitions and move offsets. Every call may safely be repeated, and is while the service is away."""

    async def claim(self, consumer: str, topic: str, partitions: Iterable[int], member: str) -> list[Claim]:
        """Take partitions over; a claim of somebody else fences us out. Raises InvalidRequest, Unavailable."""
        wanted = sorted(partitions)
        found: list[Claim] = []
        for first in range(0, len(wanted), MAX_CLAIM):
            body = {"topic": topic, "partitions": wanted[first : first + MAX_CLAIM], "member": member}
            path = f"/v1/consumers/{segment(consumer)}/claims"
            answer = await self.call("POST", path, body=msgspec.json.encode(body), headers=_JSON)
            with self._ours():
                claims = _claims.decode(answer.body).claims
                if [claim.partition for claim in claims] != body["partitions"]:
                    raise ValueError("other partitions than those asked for")
            found += claims
        return found

    async def commit(self, consumer: str, commit: Commit) -> Committed:
        """Move one offset. Raises Fenced, OffsetRegression, InvalidRequest, Unavailable."""
        path = f"/v1/consumers/{segment(consumer)}/offsets/{segment(commit.topic)}/{commit.partition}"
        given = {"offset": commit.offset, "position": commit.position, "epoch": commit.epoch}
        answer = await self.call("PUT", path, body=msgspec.json.encode(given), headers=_JSON)
        with self._ours():
            return _committed.decode(answer.body)

    async def commit_all(self, consumer: str, commits: Sequence[Commit]) -> list[Committed | EskitError]:
        """Move several offsets; of each, in order, what is stored now, or Fenced or OffsetRegression.

        Without commits it is a sign of life of a known consumer. Raises InvalidRequest, Unavailable.
        """
        outcomes: list[Committed | EskitError] = []
        for first in range(0, len(commits) or 1, MAX_COMMITS):
            some = commits[first : first + MAX_COMMITS]
            body = msgspec.json.encode({"offsets": some})
            answer = await self.call("PUT", f"/v1/consumers/{segment(consumer)}/offsets", body=body, headers=_JSON)
            with self._ours():
                results = _results.decode(answer.body).results
                outcomes += [_outcome(result, commit) for result, commit in zip(results, some, strict=True)]
        return outcomes

    async def consumers(self, *, after: str = "", limit: int = 100) -> ConsumersPage:
        """A page of consumers, in the order of their names."""
        more = f"&after={segment(after)}" if after else ""
        answer = await self.call("GET", f"/v1/consumers?limit={limit}{more}")
        with self._ours():
            return _page.decode(answer.body)

    async def consumer(self, name: str) -> ConsumerState:
        """One consumer; raises NotFound."""
        answer = await self.call("GET", f"/v1/consumers/{segment(name)}")
        with self._ours():
            return _consumer.decode(answer.body)

    @contextmanager
    def _ours(self) -> Iterator[None]:
        """An answer that cannot be understood comes from somebody else: a proxy whose service is away, for instance."""
        try:
            yield
        except (msgspec.MsgspecError, LookupError, TypeError, ValueError) as error:
            raise Unavailable(f"{self._url} answers, but not as the offsets service does: {error}") from error


def _outcome(result: dict[str, Any], commit: Commit) -> Committed | EskitError:
    if (result["topic"], result["partition"]) != (commit.topic, commit.partition):
        raise ValueError("a result for another partition")
    status = result.pop("status")
    return msgspec.convert(result, Committed) if status == 200 else problem_error(status, result)
