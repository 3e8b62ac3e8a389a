"""A run as one page: ``write_report(folder)`` writes report.html, which needs no server and no network."""

from runs.report.page import write_report

__all__ = ["write_report"]
