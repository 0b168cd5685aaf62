"""The demo, as people run it."""

import pytest

from cluster import demo
from cluster.target import Target


@pytest.mark.e2e
def test_the_demo_forecasts_real_klines_through_both_pools(target: Target, capsys: pytest.CaptureFixture[str]) -> None:
    demo.run_demo()
    shown = capsys.readouterr().err
    assert "AAPL after 96 daily K-lines" in shown
    assert "/v1/predict/single was answered by Pool cpu, Device cpu, Pod kronos-cpu-" in shown
    assert "/v1/predict/batch was answered by Pool gpu, Device cpu, Pod kronos-gpu-" in shown
    assert target.read("kronosdeployment", "kronos")["status"]["url"].startswith("http://")
