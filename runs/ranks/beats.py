"""Who of a run's processes still lives: each beats in a store that all can read, and a failure leaves a line there."""

import os
import sys
import threading
import time

from torch.distributed import Store

BEAT = 0.5
"""Seconds between two beats of a rank."""
SILENCE = 60.0
"""Seconds without a beat after which a rank counts as dead, though no connection broke: a machine that hangs."""
GRACE = 15.0
"""Seconds in which whoever waits for a rank that failed may find out by itself, before it is ended from outside."""
SETTLED = 8 * BEAT
"""Seconds without a beat after which a rank counts as dead, once a connection broke."""
DONE = "done"
STOPPED = 2
"""Exit code of a process that stops because another one did."""


class Beats:
    """The beats of all ranks, and the lines of those that failed.

    A thread of its own beats and listens, so that a rank whose main thread waits for the others, or measures for an
    hour, is known to live, and one that waits for a dead rank where no connection breaks (nccl, a machine that hangs)
    is ended with a line that names it.

    Args:
        store: that all ranks share; it is cloned for the thread.
        rank: of this process.
        size: how many there are.
    """

    def __init__(self, store: Store, rank: int, size: int) -> None:
        self._store, self._rank, self._size = store, rank, size
        self._count = 0
        self._over = threading.Event()
        store.set(f"beat/{rank}", "0")
        self._thread = threading.Thread(target=self._listen, args=(store.clone(),), daemon=True)

    def start(self) -> None:
        """Begin to beat and to listen; call it when all ranks have made their ``Beats``."""
        self._thread.start()

    def end(self) -> None:
        """Say that this rank is done, and beat no more."""
        self.leave()
        try:
            self._store.set(f"beat/{self._rank}", DONE)
        except RuntimeError:
            return  # who kept the store is done, too

    def leave(self) -> None:
        """Beat no more, and end nobody."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10 * BEAT)

    def tell(self, line: str, own: bool) -> None:
        """Leave a line why this rank stops: for a failure of its ``own``, or because another one stopped."""
        self._store.set(f"{'failed' if own else 'noticed'}/{self._rank}", line)

    def failed(self) -> dict[int, str]:
        """The lines of those that failed by themselves, by rank."""
        return _failed(self._store, self._rank, self._size)

    def dead(self) -> list[int]:
        """Ranks that neither beat nor left a line. It waits until each other rank is one or the other: seconds."""
        began = time.monotonic()
        last = {rank: ("", began) for rank in range(self._size) if rank != self._rank}
        while True:
            now = time.monotonic()
            quiet = [rank for rank in last if not self._store.check([f"noticed/{rank}"])]
            quiet = [rank for rank in quiet if not self._store.check([f"failed/{rank}"])]
            for rank, beat in _heard(self._store, quiet).items():
                last[rank] = last[rank] if beat == last[rank][0] else (beat, now)
            quiet = [rank for rank in quiet if last[rank][0] != DONE]
            dead = [rank for rank in quiet if now - last[rank][1] > SETTLED]
            if dead == quiet or now - began > GRACE:
                return dead
            time.sleep(BEAT)

    def _listen(self, store: Store) -> None:
        others = [rank for rank in range(self._size) if rank != self._rank]
        last = {rank: ("", time.monotonic()) for rank in others}
        failing: float | None = None
        while not self._over.wait(BEAT):
            try:
                self._count += 1
                store.set(f"beat/{self._rank}", str(self._count))
                heard, failed = _heard(store, others), _failed(store, self._rank, self._size)
            except RuntimeError:
                return  # the store is gone: so are connections, and whoever waits learns it from them
            now = time.monotonic()
            for rank, beat in heard.items():
                if beat != last[rank][0]:
                    last[rank] = (beat, now)
            for rank, (beat, since) in last.items():
                if beat != DONE and now - since > SILENCE:
                    self._end(f"rank {rank} has been silent for {SILENCE:.0f} s")
            failing = (failing or now) if failed else None
            if failing is not None and now - failing > GRACE:
                self._end("; ".join(f"rank {rank} failed: {line}" for rank, line in failed.items()))

    def _end(self, why: str) -> None:
        if not self._over.is_set():
            print(f"rank {self._rank}: {why}: go on with --resume", file=sys.stderr, flush=True)
            os._exit(STOPPED)  # the main thread waits in a library and cannot be reached


def _heard(store: Store, ranks: list[int]) -> dict[int, str]:
    beats = store.multi_get([f"beat/{rank}" for rank in ranks]) if ranks else []
    return {rank: beat.decode() for rank, beat in zip(ranks, beats, strict=True)}


def _failed(store: Store, own: int, size: int) -> dict[int, str]:
    there = [rank for rank in range(size) if rank != own and store.check([f"failed/{rank}"])]
    return {rank: store.get(f"failed/{rank}").decode() for rank in there}
