"""For tests of programs that use Rota.

`WorkerTest` carries out a worker's handlers with no server; `embedded_rota` is a whole server for as long as a test
takes, and `running` has a worker serve it. No server library is loaded before `embedded_rota` is asked for.
"""

from rota.testing.bench import Trial, WorkerTest
from rota.testing.bench_sync import TrialSync, WorkerTestSync
from rota.testing.embedded import EmbeddedRota, EmbeddedRotaError, embedded_rota
from rota.testing.outcome import Failure, Outcome, Progress
from rota.testing.running import running

__all__ = [
    "EmbeddedRota",
    "EmbeddedRotaError",
    "Failure",
    "Outcome",
    "Progress",
    "Trial",
    "TrialSync",
    "WorkerTest",
    "WorkerTestSync",
    "embedded_rota",
    "running",
]
