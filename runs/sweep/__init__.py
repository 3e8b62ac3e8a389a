"""Many runs of one question: what is varied, where each runs, and one table of all (docs/sweeps.md)."""

from runs.sweep.jobs import RunJob, sweep
from runs.sweep.plan import Point, SlurmConfig, SweepConfig, plan_of
from runs.sweep.table import Cell, cells_of, write_table

__all__ = ["Cell", "Point", "RunJob", "SlurmConfig", "SweepConfig", "cells_of", "plan_of", "sweep", "write_table"]
