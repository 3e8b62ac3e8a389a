"""Studies that people answer: runs to a static folder, and the answers back to numbers beside the agents'."""

from runs.study.config import StudyConfig
from runs.study.exporting import StudyFolder, export, export_sources, read_design
from runs.study.scoring import Score, score

__all__ = ["Score", "StudyConfig", "StudyFolder", "export", "export_sources", "read_design", "score"]
