"""What Prometheus scrapes."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from kronos_server.worker import Heartbeat

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
STEP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
JOBS = (1, 2, 4, 8, 16, 32, 64)
ROWS = (16, 32, 64, 128, 256, 512, 1024, 2048, 8192, 32768)


class Metrics:
    """The collectors of one server, in a registry of its own. Names are what dashboards use."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.requests = Counter(
            "kronos_requests_total", "Forecast requests by outcome.", ["route", "status"], registry=registry
        )
        self.duration = Histogram(
            "kronos_request_duration_seconds",
            "From a request's arrival to its reply.",
            buckets=SECONDS,
            registry=registry,
        )
        self.inference = Histogram(
            "kronos_model_inference_seconds",
            "From a job's first computation to its forecast.",
            ["endpoint"],
            buckets=SECONDS,
            registry=registry,
        )
        self.concurrent = Gauge("kronos_concurrent_requests", "Forecast requests being answered.", registry=registry)
        self.timeouts = Counter(
            "kronos_timeouts_total", "Requests past their deadline.", ["endpoint"], registry=registry
        )
        self.rate_limited = Counter(
            "kronos_rate_limit_hits_total", "Requests refused by the rate limit.", ["container"], registry=registry
        )
        self.security = Counter(
            "kronos_security_events_total",
            "Requests refused by key or whitelist.",
            ["event", "container"],
            registry=registry,
        )
        self.input_size = Histogram(
            "kronos_prediction_input_size", "K-lines of a request.", ["endpoint"], buckets=ROWS, registry=registry
        )
        self.refused = Counter("kronos_refused_total", "Requests without a forecast.", ["reason"], registry=registry)
        self.size_rejections = Counter(
            "kronos_request_size_rejections_total", "Bodies above the size limit.", registry=registry
        )
        self._add_engines(registry)

    def _add_engines(self, registry: CollectorRegistry) -> None:
        self.queue = Histogram(
            "kronos_queue_seconds", "From a job's arrival to its first computation.", buckets=SECONDS, registry=registry
        )
        self.batch_size = Histogram("kronos_batch_size", "Jobs in a step.", ["device"], buckets=JOBS, registry=registry)
        self.step_seconds = Histogram(
            "kronos_engine_step_seconds", "Seconds of a step.", ["device"], buckets=STEP_SECONDS, registry=registry
        )
        self.tokens = Counter(
            "kronos_engine_tokens_total", "Tokens drawn: a K-line in a sample path.", ["device"], registry=registry
        )
        self.busy_seconds = Counter(
            "kronos_engine_busy_seconds_total",
            "Seconds of reading, stepping and decoding.",
            ["device"],
            registry=registry,
        )
        self.rows = Counter("kronos_forecast_rows_total", "K-lines forecast.", registry=registry)
        self.queued = Gauge("kronos_queued_jobs", "Jobs waiting for an engine.", registry=registry)
        self.cached = Gauge("kronos_cache_tokens", "Tokens that jobs under way remember at most.", registry=registry)
        self.cache_limit = Gauge(
            "kronos_cache_tokens_limit", "Tokens that the engines can remember at a time.", registry=registry
        )

    def beat(self, device: str, heartbeat: Heartbeat) -> None:
        """Takes note of what an engine did since its last heartbeat."""
        for step in heartbeat.steps:
            self.batch_size.labels(device).observe(step.jobs)
            self.step_seconds.labels(device).observe(step.seconds)
            self.tokens.labels(device).inc(step.tokens)
        self.busy_seconds.labels(device).inc(heartbeat.busy_seconds)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
