"""What a job will cost, from the rates an engine measured while it warmed up."""

from collections.abc import Sequence
from dataclasses import dataclass

from kronos_server.forecasts import Job


@dataclass(frozen=True)
class Rates:
    """Seconds by the row, and for a call whatever its rows; `tokens` is how many an engine can remember at a time."""

    window: int
    tokens: int
    prefill_call: float
    encode_row: float
    read_row: float
    step_call: float
    step_row: float
    decode_call: float
    decode_row: float


@dataclass(frozen=True)
class Cost:
    """Seconds on an engine with nothing else to do, and tokens remembered at most."""

    seconds: float
    tokens: int


def cost(job: Job, rates: Rates) -> Cost:
    """The cost of a job. The engine keeps the exact account; this one is made where the model must not be loaded."""
    paths, window = job.sampling.sample_count, rates.window
    used = len(job.context) if job.context_policy == "exact" else min(len(job.context), max(1, window - job.horizon))
    read = min(used, window)
    steps = min(job.horizon, window - read + 1)
    # A step whose window has moved reads it again: what the paths share once, the rest for every path.
    own = [min(step, window) for step in range(steps, job.horizon)]
    reread = sum(window - rows + paths * rows for rows in own)
    decoded = read + paths * job.horizon
    seconds = (
        rates.prefill_call
        + used * rates.encode_row
        + (read + reread) * rates.read_row
        + steps * (rates.step_call + paths * rates.step_row)
        + rates.decode_call
        + decoded * rates.decode_row
    )
    return Cost(seconds, read + paths * (steps - 1))


class Pace:
    """Seconds of cost that an engine works off in one second: above 1 where jobs share steps."""

    WEIGHT = 0.1
    LEAST, MOST = 0.05, 64.0

    def __init__(self) -> None:
        self.value = 1.0

    def observe(self, seconds: float, company: int, taken: float) -> None:
        """Takes note of a job that cost some seconds and took others, among `company` jobs with itself."""
        if taken > 0:
            measured = min(self.MOST, max(self.LEAST, company * seconds / taken))
            self.value += self.WEIGHT * (measured - self.value)


@dataclass(frozen=True)
class Load:
    """What the engines have to do: jobs and seconds of cost waiting, jobs under way, jobs at a time on each."""

    waiting: int
    waiting_seconds: float
    computing: int
    engines: int
    most: int
    pace: float

    @property
    def wait(self) -> float:
        """Seconds until a job that comes now is begun."""
        return self.waiting_seconds / (self.pace * self.engines)

    def finish(self, costs: Sequence[float]) -> float:
        """Seconds until the last of the jobs that come now, with these costs, is finished."""
        company = min(self.most, 1 + (self.waiting + self.computing + len(costs) - 1) // self.engines)
        stretched = max(costs) * max(1.0, company / self.pace)
        return self.wait + max(stretched, sum(costs) / (self.pace * self.engines))
