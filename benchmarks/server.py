"""Measures the forecast server: `python -m benchmarks.server [row ...]`, each row within one run of a real server.

Random weights of the small shape, 400 rows of context and 112 to forecast unless a row says otherwise. Clients share
the machine with the server, so their own work is part of every figure.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import psutil
import uvloop

from benchmarks.served import Served, series, served
from kronos_server import schemas
from kronos_server.lifecycle import calm_collector
from kronos_server.settings import Settings

ROWS, HORIZON = 400, 112
CLIENTS = 16
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Reply:
    """What a client saw: the status, when it asked, and the seconds until the answer."""

    status: int
    asked: float
    seconds: float


async def ask(client: aiohttp.ClientSession, content: bytes, patience: float | None = None) -> Reply:
    """Posts one single request."""
    headers = JSON if patience is None else JSON | {"x-request-timeout": str(patience)}
    asked = time.perf_counter()
    async with client.post("/v1/predict/single", data=content, headers=headers) as reply:
        await reply.read()
        return Reply(reply.status, asked, time.perf_counter() - asked)


async def closed_loop(server: Served, clients: int, contents: Sequence[bytes], each: int) -> list[Reply]:
    """So many clients, each asking again as soon as it has its answer."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(server.url, connector=connector) as client:

        async def go_on(number: int) -> list[Reply]:
            return [await ask(client, contents[(number + step) % len(contents)]) for step in range(each)]

        replies = await asyncio.gather(*(go_on(number) for number in range(clients)))
    if statuses := {reply.status for group in replies for reply in group} - {200}:
        raise RuntimeError(f"clients that can be served were answered with {statuses}")
    return [reply for group in replies for reply in group]


def quantile(values: Sequence[float], level: float) -> float:
    """The smallest value that so many do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(level * len(ordered)))]


def rate(replies: Sequence[Reply]) -> float:
    """Good replies a second."""
    good = [reply for reply in replies if reply.status == 200]
    first, last = min(reply.asked for reply in replies), max(reply.asked + reply.seconds for reply in replies)
    return len(good) / (last - first)


def bodies(rows: int, horizon: int, count: int = CLIENTS, **fields: Any) -> list[bytes]:
    """Different single requests."""
    return [orjson.dumps(series(rows, horizon, seed, **fields)) for seed in range(count)]


def throughput() -> list[str]:
    """16 clients against one at a time: at least 2.2 times the forecasts a second, p99 at most 2.5 times p50."""
    contents = bodies(ROWS, HORIZON)
    with served("small") as server:
        alone = uvloop.run(closed_loop(server, 1, contents, 8))
        before = server.metric("kronos_model_inference_seconds_sum")
        more = uvloop.run(closed_loop(server, 1, contents, 8))
        inside = server.metric("kronos_model_inference_seconds_sum") - before
        together = uvloop.run(closed_loop(server, CLIENTS, contents, 4))
    seconds = [reply.seconds for reply in together]
    overhead = (sum(reply.seconds for reply in more) - inside) / len(more)
    return [
        f"alone {rate(alone + more):.2f}/s, {CLIENTS} clients {rate(together):.2f}/s, "
        f"ratio {rate(together) / rate(alone):.2f}",
        f"p50 {quantile(seconds, 0.5):.2f} s, p99 {quantile(seconds, 0.99):.2f} s, "
        f"ratio {quantile(seconds, 0.99) / quantile(seconds, 0.5):.2f}",
        f"HTTP adds {overhead * 1000:.1f} ms to {inside / len(more) * 1000:.0f} ms in the engine",
    ]


def parsing() -> list[str]:
    """A body of 64 x 400 rows as columns: parsed and validated in at most 2.5 times what orjson takes to load it."""
    content = orjson.dumps({"items": [series(ROWS, HORIZON, seed) for seed in range(64)]})
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    calm_collector()
    loads, parsed = _best(lambda: orjson.loads(content), lambda: schemas.batch(content, settings, 0.0))
    return [f"orjson.loads {loads * 1000:.1f} ms, parsed {parsed * 1000:.1f} ms, ratio {parsed / loads:.2f}"]


def interference() -> list[str]:
    """Bodies of 64 x 400 rows once a second slow the engine's steps by at most 20 %."""
    items = [series(ROWS, HORIZON, seed) for seed in range(64)]
    large = orjson.dumps({"items": [*items[:-1], items[-1] | {"timestamps": []}]})  # parsed whole, then refused
    contents = bodies(ROWS, HORIZON)
    with served("small") as server:
        uvloop.run(closed_loop(server, 4, contents, 1))
        quiet = _step_seconds(server, lambda: closed_loop(server, 4, contents, 4))
        noisy = _step_seconds(server, lambda: _beside(server, closed_loop(server, 4, contents, 4), large))
    return [f"step {quiet * 1000:.1f} ms, beside large bodies {noisy * 1000:.1f} ms, ratio {noisy / quiet:.2f}"]


def overload() -> list[str]:
    """Five times the capacity for 60 s: accepted in time, refused within 50 ms, goodput at least 90 % of the peak."""
    contents = bodies(ROWS, 24)
    with served("mini") as server:
        uvloop.run(closed_loop(server, CLIENTS, contents, 4))
        peak = rate(uvloop.run(closed_loop(server, CLIENTS, contents, 20)))
        before = time.process_time()
        replies, probes = uvloop.run(_flood(server, contents, per_second=5 * peak, seconds=60, patience=10))
        clients = (time.process_time() - before) / 60
    accepted = [reply.seconds for reply in replies if reply.status == 200]
    refused = [reply.seconds for reply in replies if reply.status in (429, 503)]
    late = len(replies) - len(accepted) - len(refused)
    return [
        f"peak {peak:.1f}/s, goodput under load {rate(replies):.1f}/s, ratio {rate(replies) / peak:.2f}",
        f"accepted {len(accepted)} (p99 {quantile(accepted, 0.99):.2f} s of 10), refused {len(refused)} "
        f"(p99 {quantile(refused, 0.99) * 1000:.0f} ms), neither {late}",
        f"probes {sum(status == 200 for status in probes)} of {len(probes)} good",
        f"the clients took {clients:.0%} of a core",
    ]


def memory() -> list[str]:
    """Memory stays flat over 10,000 requests."""
    contents = bodies(64, 4)
    with served("mini") as server:
        sizes = []
        for _ in range(5):
            uvloop.run(closed_loop(server, CLIENTS, contents, 125))
            processes = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
            sizes.append(sum(process.memory_info().rss for process in processes) / 2**20)
    return ["MB after every 2,000 requests: " + ", ".join(f"{size:.0f}" for size in sizes)]


def seeds() -> list[str]:
    """The same seed gives the same forecast alone and among 15 strangers, in at least 999 of 1,000 requests."""
    with served("mini") as server:
        same, total = uvloop.run(_compare_seeds(server, 1000))
    return [f"{same} of {total} forecasts equal within 1e-5"]


async def _compare_seeds(server: Served, count: int) -> tuple[int, int]:
    async with aiohttp.ClientSession(server.url) as client:

        async def closes(item: dict[str, Any]) -> list[float]:
            async with client.post("/v1/predict/single", json=item) as reply:
                return [row["close"] for row in (await reply.json())["prediction"]]

        items = [series(32 + seed % 64, 12, seed) | {"seed": seed} for seed in range(count)]
        alone = [await closes(item) for item in items]
        among: list[list[float]] = []
        for first in range(0, count, CLIENTS):
            among += await asyncio.gather(*(closes(item) for item in items[first : first + CLIENTS]))
    pairs = zip(alone, among, strict=True)
    return sum(all(abs(a - b) <= 1e-5 * abs(a) for a, b in zip(*pair, strict=True)) for pair in pairs), count


async def _flood(
    server: Served, contents: Sequence[bytes], per_second: float, seconds: float, patience: float
) -> tuple[list[Reply], list[int]]:
    """Requests at a fixed rate whatever becomes of them, and a probe of each kind twice a second."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(server.url, connector=connector) as client:
        probing = asyncio.create_task(_probe(client, seconds))
        tasks = []
        start = time.perf_counter()
        for number in range(int(per_second * seconds)):
            await asyncio.sleep(max(0.0, start + number / per_second - time.perf_counter()))
            tasks.append(asyncio.create_task(ask(client, contents[number % len(contents)], patience)))
        return await asyncio.gather(*tasks), await probing


async def _probe(client: aiohttp.ClientSession, seconds: float) -> list[int]:
    statuses = []
    for _ in range(int(seconds * 2)):
        for path in ("/v1/readyz", "/v1/healthz"):
            async with client.get(path) as reply:
                statuses.append(reply.status)
        await asyncio.sleep(0.5)
    return statuses


async def _beside(server: Served, work: Awaitable[Any], content: bytes) -> None:
    """Does the work while a large body arrives every second."""
    async with aiohttp.ClientSession(server.url) as client:

        async def send() -> None:
            while True:
                async with client.post("/v1/predict/batch", data=content, headers=JSON) as reply:
                    await reply.read()
                await asyncio.sleep(1)

        sending = asyncio.create_task(send())
        await work
        sending.cancel()


def _step_seconds(server: Served, work: Callable[[], Any]) -> float:
    """Mean seconds of the engine's steps during some work."""
    names = ("kronos_engine_step_seconds_sum", "kronos_engine_step_seconds_count")
    before = [server.metric(name) for name in names]
    uvloop.run(work())
    time.sleep(1.5)  # the engine tells what it did once a second
    seconds, steps = (server.metric(name) - was for name, was in zip(names, before, strict=True))
    return seconds / steps


def _best(*effects: Callable[[], object], repeats: int = 50) -> list[float]:
    """The least processor seconds of each, taken in turn, so that what disturbs one disturbs the other."""
    seconds = [[_processor_seconds(effect) for effect in effects] for _ in range(repeats)]
    return [min(each) for each in zip(*seconds, strict=True)]


def _processor_seconds(effect: Callable[[], object]) -> float:
    start = time.process_time()
    effect()
    return time.process_time() - start


ROW_NAMES: dict[str, Callable[[], list[str]]] = {
    row.__name__: row for row in (throughput, parsing, interference, overload, memory, seeds)
}


def main() -> None:
    """Prints the rows asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", choices=[*ROW_NAMES, []], help="rows to measure; default: all")
    for name in parser.parse_args().rows or ROW_NAMES:
        sys.stdout.write(f"{name}: {ROW_NAMES[name].__doc__}\n")
        for line in ROW_NAMES[name]():
            sys.stdout.write(f"    {line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
