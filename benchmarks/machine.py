"""What the machine can do, and how much memory was in use: what figures are held against."""

from pathlib import Path
from statistics import median
from time import perf_counter

import torch

PEAK = Path("/proc/self/clear_refs")


def bandwidth(device: torch.device) -> float:
    """Bytes a second that a reduction over much memory reads, the median of several."""
    block = torch.ones(64 * 2**20, device=device)
    seconds = []
    for _ in range(9):
        start = perf_counter()
        block.sum().item()
        seconds.append(perf_counter() - start)
    return block.nbytes / median(seconds)


def reset_peak(device: torch.device) -> None:
    """Start a new measurement of peak memory."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        PEAK.write_text("5")  # resets VmHWM, see proc(5)


def peak_bytes(device: torch.device) -> int:
    """Peak since the last reset: of the device, or on the CPU of the process with all that it has loaded."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024
