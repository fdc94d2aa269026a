"""What decides on this machine which way of computing is faster."""

import os
import platform
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from acronis_pipeline.fingerprint import digest


@lru_cache(maxsize=1)
def machine() -> str:
    """Digest of processor, threads, GPU and torch."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text("utf-8").splitlines() if cpu.exists() else [platform.processor()]
    cores = [line for line in lines if line.startswith(("model name", "flags"))] or lines
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return digest(platform.machine(), *cores, str(os.cpu_count()), threads, str(has_gpu()), version("torch"))


def has_gpu() -> bool:
    """Whether there is an NVIDIA GPU; without torch, whose import takes seconds."""
    return Path("/dev/nvidiactl").exists()
