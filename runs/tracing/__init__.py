"""Games in which nobody chooses: drawings measured against their pictures, traces of any picture, figures of both."""

from runs.tracing.classifier import Classifier, classifier_of
from runs.tracing.files import trace_files
from runs.tracing.measures import of_traces, one_shot, readable
from runs.tracing.sheet import sheet
from runs.tracing.traces import Traces, trace_split

__all__ = [
    "Classifier",
    "Traces",
    "classifier_of",
    "of_traces",
    "one_shot",
    "readable",
    "sheet",
    "trace_files",
    "trace_split",
]
