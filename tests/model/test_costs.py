"""The work of a job against what an engine really computes, and seconds from rates."""

import subprocess
import sys
from dataclasses import astuple
from typing import Any

import numpy as np
import pytest

import model
from model import Kronos, KronosTokenizer
from model.costs import Rates, Work, windows, work_of
from model.generation import Engine
from model.jobs import Job
from model.sampling import Sampling
from model.warmup import warm_up

W = 16


def make_job(rows: int, horizon: int, paths: int) -> Job:
    stamps = np.ones((rows + horizon, 5), dtype=np.int64)
    klines = np.random.default_rng(0).normal(size=(rows, 6))
    return Job(klines, stamps[:rows], stamps[rows:], Sampling(sample_count=paths))


@pytest.mark.parametrize(
    ("rows", "horizon", "paths"), [(5, 4, 1), (5, 4, 3), (10, 12, 1), (10, 12, 3), (40, 3, 2), (3, 50, 2), (16, 1, 4)]
)
def test_work_is_what_the_engine_computes(
    kronos: Kronos, tokenizer: KronosTokenizer, monkeypatch: pytest.MonkeyPatch, rows: int, horizon: int, paths: int
) -> None:
    engine = Engine(kronos, tokenizer, max_context=W)
    seen = {"encode": 0, "read": 0, "branch": 0, "decode": 0}

    def count(place: object, name: str, key: str, first: int, last: int) -> None:
        call = getattr(place, name)

        def counting(x: Any, *rest: Any) -> Any:
            seen[key] += int(np.prod(x.shape[first:last]))
            return call(x, *rest)

        monkeypatch.setattr(place, name, counting)

    count(engine.codec, "encode", "encode", 0, 1)
    count(engine.language, "read", "read", 0, 1)
    count(engine.language, "branch", "branch", 0, 2)
    count(engine.codec, "read", "decode", 1, 2)
    count(engine.codec, "decode", "decode", 1, 3)
    job = make_job(rows, horizon, paths)
    run = engine.prefill(job)
    steps = 0
    while not run.done:
        steps += not run.slides
        engine.step([run])
    while engine.finish(run) is None:
        pass
    work = engine.work(job)
    assert (work.encoded, work.steps, work.paths) == (seen["encode"], steps, paths)
    assert work.read + work.reread == seen["read"] + seen["branch"]
    assert work.decoded == seen["decode"]


def test_fit_leaves_nothing_to_reread() -> None:
    assert work_of(40, 6, 2, W, "fit") == Work(10, 10, 2, 6, 0, 22, 20)


def test_one_window_is_decoded_where_the_horizon_fits() -> None:
    assert list(windows(rows=5, horizon=4, max_context=16)) == [(0, 9, 4)]
    assert list(windows(rows=16, horizon=4, max_context=16)) == [(4, 20, 4)]
    assert list(windows(rows=16, horizon=16, max_context=16)) == [(16, 32, 16)]


@pytest.mark.parametrize(("rows", "horizon"), [(1, 17), (7, 40), (16, 100)])
def test_windows_keep_every_row_of_a_long_horizon_once(rows: int, horizon: int) -> None:
    spans = list(windows(rows, horizon, max_context=16))
    kept = [row for _, last, keep in spans for row in range(last - keep, last)]
    assert kept == list(range(rows, rows + horizon))
    assert all(last - first <= 16 and keep <= 8 for first, last, keep in spans)
    assert all(last - keep - first >= min(8, rows) for first, last, keep in spans)


def test_seconds_are_sums_of_rates() -> None:
    rates = Rates(1.0, 0.1, 0.2, 3.0, 0.5, 7.0, 0.01)
    work = Work(encoded=10, read=5, paths=4, steps=6, reread=100, decoded=200, tokens=0)
    assert rates.prefill(work) == pytest.approx(1 + 1 + 1)
    assert rates.step(4) == pytest.approx(5)
    assert rates.slides(work) == pytest.approx(20)
    assert rates.finish(work) == pytest.approx(9)
    assert rates.alone(work) == pytest.approx(3 + 30 + 20 + 9)


@pytest.mark.parametrize("max_context", [4, 64])
def test_warm_up_measures_rates(kronos: Kronos, tokenizer: KronosTokenizer, max_context: int) -> None:
    rates = warm_up(Engine(kronos, tokenizer, max_context=max_context))
    assert all(np.isfinite(rate) and rate >= 0 for rate in astuple(rates))
    assert rates.alone(work_of(5, 4, 1, W)) > 0


def test_costs_are_told_without_loading_torch() -> None:
    script = "import sys, model.costs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_the_package_has_its_three_names_and_no_others() -> None:
    assert [getattr(model, name).__name__ for name in model.__all__] == model.__all__
    with pytest.raises(AttributeError, match="no attribute 'Cronos'"):
        model.Cronos  # noqa: B018 - looking is what is tested
