"""The metrics consumer in a test's own process, and what its page shows."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from consumers.metrics.app import metrics_app, work
from eskit.settings import Settings
from tests.services import running

SAMPLE = re.compile(r"^(eskit_(?:events|consumers?)\S+) (\S+)$", re.MULTILINE)


@asynccontextmanager
async def metrics(config: Settings) -> AsyncIterator[str]:
    """The metrics consumer in this process; its URL."""
    app = metrics_app(config)
    async with running(app, config, "metrics_port") as url:
        task = asyncio.create_task(work(app))
        try:
            yield url
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def scrape(*urls: str) -> dict[str, float]:
    """The samples of all instances, added up as a dashboard does."""
    samples: dict[str, float] = {}
    async with aiohttp.ClientSession() as session:
        for url in urls:
            async with session.get(f"{url}/metrics") as response:
                for name, value in SAMPLE.findall(await response.text()):
                    samples[name] = samples.get(name, 0) + float(value)
    return samples


async def total(*urls: str, metric: str = "eskit_events_store_total") -> float:
    return sum(value for name, value in (await scrape(*urls)).items() if name.startswith(metric))


async def is_(wanted: int, *urls: str) -> bool:
    return await total(*urls) == wanted


async def has(url: str, sample: str, value: float) -> bool:
    return (await scrape(url)).get(sample) == value
