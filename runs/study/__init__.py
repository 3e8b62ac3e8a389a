"""Studies that people answer: a run to a static folder, and the answers back to numbers beside the agents'."""

from runs.study.exporting import StudyFolder, export, export_plays
from runs.study.scoring import Score, score

__all__ = ["Score", "StudyFolder", "export", "export_plays", "score"]
