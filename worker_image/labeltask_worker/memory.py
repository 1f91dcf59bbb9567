"""The process's peak memory, as ``state.peak_memory`` shows it."""

import resource
from pathlib import Path


def peak_memory_mib() -> float:
    """Return the most memory this process has had resident, in MiB."""
    try:
        # VmHWM belongs to this program; ru_maxrss is inherited over exec from whoever started it.
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 2)
    except OSError:
        pass
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 2)
