"""The engine: cached generation against the plain modules, and runs that come and go."""

import gc
import weakref
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from model import Kronos, KronosTokenizer
from model.generation import Engine, Run
from model.jobs import Forecast, Job, Scaling
from model.sampling import COARSE, FINE, Draws, Sampling, choose, noise_of

W = 32
GREEDY = Sampling(temperature=0)
SAMPLED = Sampling(temperature=1.2, top_p=0.95, sample_count=3)


def make_job(rows: int, horizon: int, sampling: Sampling, seed: int = 7, **fields: str) -> Job:
    rng = np.random.default_rng(rows * 1000 + horizon)
    klines = 100 + rng.normal(size=(rows, 6)).cumsum(axis=0)
    time = np.arange(rows + horizon)
    stamps = np.stack((time % 60, time // 60 % 24, time % 7, time % 28 + 1, time % 12 + 1), axis=1)
    return Job(klines, stamps[:rows], stamps[rows:], sampling, seed, **fields)  # type: ignore[arg-type]


def run_through(engine: Engine, job: Job) -> Run:
    run = engine.prefill(job)
    while not run.done:
        engine.step([run])
    return run


def finished(engine: Engine, run: Run) -> Forecast:
    while (forecast := engine.finish(run)) is None:
        pass
    return forecast


@torch.inference_mode()
def uncached_tokens(kronos: Kronos, tokenizer: KronosTokenizer, job: Job) -> Tensor:
    """What the modules give when the whole window is computed at every step: (2, paths, horizon)."""
    rows = job.rows.astype(np.float32)
    x = torch.from_numpy(Scaling.of(rows).apply(rows, 5.0))
    s1, s2 = (half.expand(job.paths, -1) for half in tokenizer.encode(x[None], half=True))
    stamps = torch.from_numpy(np.concatenate((job.stamps, job.horizon_stamps)))
    draws = Draws.of(job.sampling, job.seed, torch.device("cpu"))
    for step in range(job.horizon):
        steps = torch.full((job.paths,), step)
        end = s1.shape[1]
        window = stamps[max(0, end - W) : end].expand(job.paths, -1, -1)
        logits, context = kronos.decode_s1(s1[:, -W:], s2[:, -W:], window)
        noise = noise_of(draws, steps, logits.shape[-1])
        coarse = choose(logits[:, -1], draws, noise[COARSE])
        fine = choose(kronos.decode_s2(context, coarse[:, None])[:, -1], draws, noise[FINE])
        s1, s2 = torch.cat((s1, coarse[:, None]), 1), torch.cat((s2, fine[:, None]), 1)
    return torch.stack((s1, s2))[:, :, len(job.rows) :]


@pytest.fixture(scope="module")
def engine(kronos: Kronos, tokenizer: KronosTokenizer) -> Engine:
    return Engine(kronos, tokenizer, max_context=W)


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize(
    ("rows", "horizon"),
    [(1, 1), (1, 9), (20, 12), (20, 13), (20, 14), (32, 3), (45, 5), (20, 80)],
    ids=["one", "from-one-row", "fits", "fills", "slides-once", "full", "longer-than-window", "beyond-the-window"],
)
def test_cached_tokens_equal_uncached_ones(
    kronos: Kronos, tokenizer: KronosTokenizer, engine: Engine, rows: int, horizon: int, sampling: Sampling
) -> None:
    job = make_job(rows, horizon, sampling)
    run = run_through(engine, job)
    torch.testing.assert_close(run.drawn, uncached_tokens(kronos, tokenizer, job), rtol=0, atol=0)


def test_decoding_behind_a_shared_prefix_equals_decoding_each_path(tokenizer: KronosTokenizer, engine: Engine) -> None:
    run = run_through(engine, make_job(20, 10, SAMPLED))
    whole = [half.expand(3, -1) for half in run.context]
    tokens = [torch.cat((context, drawn), 1) for context, drawn in zip(whole, run.drawn, strict=True)]
    with torch.inference_mode():
        wanted = tokenizer.decode(tokens, half=True)[:, -10:].numpy()
    found = finished(engine, run).paths
    np.testing.assert_allclose(found, run.scaling.undo(wanted), rtol=1e-5, atol=1e-5)


def test_a_horizon_beyond_the_window_is_decoded_in_overlapping_windows(
    tokenizer: KronosTokenizer, engine: Engine
) -> None:
    run = run_through(engine, make_job(20, 80, GREEDY))
    tokens = [torch.cat((context, drawn[0])) for context, drawn in zip(run.context, run.drawn, strict=True)]
    ends = [36, 52, 68, 84, 100]  # strides of half a window, over 20 rows of context and 80 drawn
    with torch.inference_mode():
        parts = [tokenizer.decode([t[None, max(0, end - W) : end] for t in tokens], half=True)[0, -16:] for end in ends]
    found = finished(engine, run)
    np.testing.assert_allclose(found.klines, run.scaling.undo(torch.cat(parts).numpy()), rtol=1e-5, atol=1e-5)
    assert found.slid_steps == 20 + 80 - 1 - W


def test_runs_that_join_and_leave_do_not_change_each_other(engine: Engine) -> None:
    jobs = [
        make_job(5, 9, GREEDY),
        make_job(20, 20, SAMPLED),
        make_job(31, 4, Sampling(top_k=5, sample_count=2), seed=1),
        make_job(40, 2, Sampling(top_p=1.0), seed=2),
    ]
    alone = [run_through(engine, job).drawn for job in jobs]
    running: list[tuple[int, Run]] = []
    done: dict[int, Run] = {}
    waiting = list(enumerate(jobs))
    while waiting or running:
        if waiting:
            number, job = waiting.pop()
            running.append((number, engine.prefill(job)))
        engine.step([run for _, run in running])
        done |= {number: run for number, run in running if run.done}
        running = [(number, run) for number, run in running if not run.done]
    for number, drawn in enumerate(alone):
        torch.testing.assert_close(done[number].drawn, drawn, rtol=0, atol=0)


def test_one_call_rereads_at_most_about_one_window_of_a_sliding_run(engine: Engine) -> None:
    run = engine.prefill(make_job(32, 9, Sampling(sample_count=20)))
    while run.steps < 8:
        engine.step([run])
    calls = 0
    while not run.done:
        engine.step([run])
        calls += 1
    assert calls == 5  # 32 // 8 paths fit into a window of 8 own rows, and there are 20


@pytest.mark.parametrize(("rows", "horizon", "paths"), [(20, 10, 1), (20, 10, 3), (30, 8, 3), (50, 4, 2), (8, 1, 4)])
def test_the_memory_a_run_allocates_is_what_its_work_says(engine: Engine, rows: int, horizon: int, paths: int) -> None:
    job = make_job(rows, horizon, Sampling(sample_count=paths))
    run = engine.prefill(job)
    assert run.memory is not None
    caches = (run.memory.blocks, run.memory.context)
    tensors = [tensor for cache in caches for tensor in (cache.prefix, cache.own) if tensor is not None]
    assert sum(tensor.nbytes for tensor in tensors) == engine.work(job).tokens * engine.bytes_per_token


def test_a_dropped_run_gives_its_memory_back(engine: Engine) -> None:
    run = engine.prefill(make_job(20, 10, SAMPLED))
    other = engine.prefill(make_job(10, 10, GREEDY))
    engine.step([run, other])
    assert run.memory is not None
    watched = weakref.ref(run.memory.blocks)
    del run
    gc.collect()
    assert watched() is None
    engine.step([other])


@pytest.mark.parametrize("part", ["coarse_logits", "fine_logits", "advance"])
def test_a_step_that_failed_can_be_repeated(engine: Engine, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    job = make_job(20, 6, SAMPLED)
    wanted = run_through(engine, job).drawn
    run = engine.prefill(job)
    engine.step([run])
    with monkeypatch.context() as patch:
        patch.setattr(engine.language, part, failing(getattr(engine.language, part)))
        with pytest.raises(MemoryError):
            engine.step([run])
    while not run.done:
        engine.step([run])
    torch.testing.assert_close(run.drawn, wanted, rtol=0, atol=0)


def failing(part: Callable[..., object]) -> Callable[..., None]:
    def fail(*arguments: object) -> None:
        raise MemoryError(part.__name__, len(arguments))

    return fail


def test_a_done_run_is_not_stepped_and_a_running_one_not_finished(engine: Engine) -> None:
    run = engine.prefill(make_job(20, 2, GREEDY))
    with pytest.raises(ValueError, match="drawn 0 of 2 rows"):
        engine.finish(run)
    engine.step([run])
    engine.step([run])
    with pytest.raises(ValueError, match="can only be finished"):
        engine.step([run])


def test_finishing_many_paths_comes_in_slices(engine: Engine) -> None:
    run = run_through(engine, make_job(2, 30, Sampling(sample_count=100)))
    slices = 0
    while engine.finish(run) is None:
        slices += 1
    assert slices == 3  # 34 paths of 30 rows at a time


def test_a_tokenizer_of_other_bits_is_refused(kronos: Kronos, tokenizer: KronosTokenizer) -> None:
    other = KronosTokenizer(**tokenizer.config | {"s1_bits": 3, "s2_bits": 3, "group_size": 3})
    with pytest.raises(ValueError, match="3 bits a token"):
        Engine(kronos, other)


def test_int8_tokens_are_the_same_whatever_shares_the_batch(kronos: Kronos, tokenizer: KronosTokenizer) -> None:
    engine = Engine(kronos, tokenizer, max_context=W, weights="int8")
    jobs = [make_job(20, 10, SAMPLED, seed) for seed in range(4)]
    alone = [run_through(engine, job) for job in jobs]
    runs = [engine.prefill(job) for job in jobs]
    while not runs[0].done:
        engine.step(runs)
    for run, wanted in zip(runs, alone, strict=True):
        torch.testing.assert_close(run.drawn, wanted.drawn, rtol=0, atol=0)
