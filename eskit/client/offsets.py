"""Client of the offsets service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from eskit.client.http import problem_error, segment
from eskit.client.service import JSON, ServiceClient
from eskit.errors import EskitError
from eskit.offsets import (
    MAX_CLAIM,
    MAX_COMMITS,
    Audits,
    Claim,
    Claims,
    Commit,
    Committed,
    ConsumersPage,
    ConsumerState,
    History,
    Release,
    Reset,
    ResetAnswer,
)


class _Results(msgspec.Struct):
    results: list[dict[str, Any]]


_claims = msgspec.json.Decoder(Claims)
_committed = msgspec.json.Decoder(Committed)
_results = msgspec.json.Decoder(_Results)
_page = msgspec.json.Decoder(ConsumersPage)
_consumer = msgspec.json.Decoder(ConsumerState)
_reset = msgspec.json.Decoder(ResetAnswer)
_audits = msgspec.json.Decoder(Audits)
_history = msgspec.json.Decoder(History)


class Offsets(ServiceClient):
    """Claim partitions and move offsets. Every call may safely be repeated, and is while the service is away."""

    service = "the offsets service"

    async def claim(
        self, consumer: str, topic: str, partitions: Iterable[int], member: str, topic_id: str | None = None
    ) -> list[Claim]:
        """Take partitions over; a claim of somebody else fences us out.

        `topic_id`: Kafka's id of the topic. Raises TopicChanged when stored offsets belong to another, InvalidRequest,
        Unavailable.
        """
        wanted = sorted(partitions)
        found: list[Claim] = []
        for first in range(0, len(wanted), MAX_CLAIM):
            numbers = wanted[first : first + MAX_CLAIM]
            body = {"topic": topic, "partitions": numbers, "member": member, "topic_id": topic_id}
            path = f"/v1/consumers/{segment(consumer)}/claims"
            answer = await self.call("POST", path, body=msgspec.json.encode(body), headers=JSON)
            with self.understood():
                claims = _claims.decode(answer.body).claims
                if [claim.partition for claim in claims] != numbers:
                    raise ValueError("other partitions than those asked for")
            found += claims
        return found

    async def release(self, consumer: str, topic: str, claims: Iterable[Claim]) -> None:
        """Give partitions up in good order: the consumer is idle at once. Raises Unavailable."""
        given = [Release(claim.partition, claim.epoch) for claim in claims]
        for first in range(0, len(given), MAX_CLAIM):
            body = msgspec.json.encode({"topic": topic, "claims": given[first : first + MAX_CLAIM]})
            await self.call("POST", f"/v1/consumers/{segment(consumer)}/releases", body=body, headers=JSON)

    async def commit(self, consumer: str, commit: Commit) -> Committed:
        """Move one offset. Raises Fenced, TopicChanged, OffsetMismatch, OffsetRegression, Unavailable."""
        path = f"/v1/consumers/{segment(consumer)}/offsets/{segment(commit.topic)}/{commit.partition}"
        given = msgspec.to_builtins(commit)
        del given["topic"], given["partition"]
        return await self.read(_committed, self.call("PUT", path, body=msgspec.json.encode(given), headers=JSON))

    async def commit_all(self, consumer: str, commits: Sequence[Commit]) -> list[Committed | EskitError]:
        """Move several offsets; of each, in order, what is stored now, or Fenced or OffsetRegression.

        Without commits it is a sign of life of a known consumer. Raises InvalidRequest, Unavailable.
        """
        outcomes: list[Committed | EskitError] = []
        for first in range(0, len(commits) or 1, MAX_COMMITS):
            some = commits[first : first + MAX_COMMITS]
            body = msgspec.json.encode({"offsets": some})
            answer = await self.call("PUT", f"/v1/consumers/{segment(consumer)}/offsets", body=body, headers=JSON)
            with self.understood():
                results = _results.decode(answer.body).results
                outcomes += [_outcome(result, commit) for result, commit in zip(results, some, strict=True)]
        return outcomes

    async def consumers(self, *, after: str = "", limit: int = 100) -> ConsumersPage:
        """A page of consumers, in the order of their names."""
        more = f"&after={segment(after)}" if after else ""
        return await self.read(_page, self.call("GET", f"/v1/consumers?limit={limit}{more}"))

    async def consumer(self, name: str) -> ConsumerState:
        """One consumer; raises NotFound."""
        return await self.read(_consumer, self.call("GET", f"/v1/consumers/{segment(name)}"))

    async def reset(self, consumer: str, wanted: Reset) -> ResetAnswer:
        """Set where a consumer goes on. Raises NotFound, ConsumerActive, InvalidRequest, Unavailable."""
        path = f"/v1/consumers/{segment(consumer)}/reset"
        return await self.read(_reset, self.call("POST", path, body=msgspec.json.encode(wanted), headers=JSON))

    async def resets(self, consumer: str, *, limit: int = 100) -> Audits:
        """What was done to a consumer by hand, newest first."""
        return await self.read(_audits, self.call("GET", f"/v1/consumers/{segment(consumer)}/resets?limit={limit}"))

    async def history(self, consumer: str, topic: str, *, limit: int = 1000) -> History:
        """How its offsets have moved in the last hour, oldest first."""
        path = f"/v1/consumers/{segment(consumer)}/history?topic={segment(topic)}&limit={limit}"
        return await self.read(_history, self.call("GET", path))

    async def delete(self, consumer: str, *, force: bool = False) -> None:
        """Delete a consumer with its offsets and dead letters. Raises NotFound, ConsumerActive, Unavailable."""
        await self.call("DELETE", f"/v1/consumers/{segment(consumer)}?force={str(force).lower()}")


def _outcome(result: dict[str, Any], commit: Commit) -> Committed | EskitError:
    if (result["topic"], result["partition"]) != (commit.topic, commit.partition):
        raise ValueError("a result for another partition")
    status = result.pop("status")
    return msgspec.convert(result, Committed) if status == 200 else problem_error(status, result)
