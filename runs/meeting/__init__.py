"""Strangers meet: senders and receivers of several runs, everybody with everybody."""

from runs.meeting.meeting import Meeting, meet

__all__ = ["Meeting", "meet"]
