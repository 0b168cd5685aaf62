"""What a job will cost, from the rates an engine measured while it warmed up."""

from collections.abc import Sequence
from dataclasses import dataclass

from kronos_server.forecasts import Job
from model import costs


@dataclass(frozen=True)
class Capacity:
    """What an engine can do: rows of its window, tokens it can remember at a time, and how fast it was measured."""

    window: int
    tokens: int
    rates: costs.Rates


@dataclass(frozen=True)
class Cost:
    """Seconds on an engine with nothing else to do, and tokens remembered at most."""

    seconds: float
    tokens: int


def cost(job: Job, capacity: Capacity) -> Cost:
    """The cost of a job."""
    size = len(job.context), job.horizon, job.sampling.sample_count
    work = costs.work_of(*size, capacity.window, job.context_policy)
    return Cost(capacity.rates.alone(work), work.tokens)


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

    def compute(self, costs: Sequence[float]) -> float:
        """Seconds from the beginning of jobs with these costs to the end of the last, in the company there will be."""
        company = min(self.most, 1 + (self.waiting + self.computing + len(costs) - 1) // self.engines)
        stretched = max(costs) * max(1.0, company / self.pace)
        return max(stretched, sum(costs) / (self.pace * self.engines))
