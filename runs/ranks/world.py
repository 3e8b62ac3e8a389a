"""The processes of one run that torchrun started: how they find each other, talk, and tell who has died."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from raster import InputError
from raster.shapes import Tensor, UInt8
from runs.ranks.beats import Beats

T = TypeVar("T")

TOGETHER = timedelta(minutes=10)
"""How long ranks wait for each other when a run begins."""
PATIENCE = timedelta(days=7)
"""How long a rank waits for what another one has to say. Long, for rank 0 measures while the others wait; that a rank
died is learned from broken connections and missing beats, never from this."""
_NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def started() -> tuple[int, int, int]:
    """(rank, number of ranks, rank on this machine), as torchrun says it in the environment; (0, 1, 0) without it.

    Raises:
        InputError: it is no number.
    """
    if not all(name in os.environ for name in _NAMES):
        return 0, 1, 0
    found = []
    for name in _NAMES[:3]:
        try:
            found.append(int(os.environ[name]))
        except ValueError:
            do = "start the run with torchrun, or without this variable"
            raise InputError(f"{name} is {os.environ[name]!r}, no number", "environment", do) from None
    rank, size, local = found
    if not 0 <= rank < size:
        raise InputError(f"rank {rank} of {size}", "RANK and WORLD_SIZE", "ranks are counted from 0")
    return rank, size, local


class TellsElsewhere(InputError):
    """An error that another rank tells, in the same words."""


class _Noticed(InputError):
    """Another rank failed or died."""


class World:
    """The ranks of a run, as one of them sees them. Whatever all do together, all call in the same order.

    Args:
        rank: of this process.
        size: how many there are.
        local: the rank on this machine.
        device: where this rank computes, and what it sends from.

    Attributes:
        sent: bytes that this rank has handed over, by what for; objects (``gather``, ``made_by``) are not counted.
    """

    def __init__(self, rank: int, size: int, local: int, device: torch.device) -> None:
        self.rank, self.size, self.local, self.device = rank, size, local, device
        self.backend = "nccl" if device.type == "cuda" else "gloo"
        self.sent: Counter[str] = Counter()
        self._leaving = False
        store, _, _ = next(iter(dist.rendezvous("env://", timeout=TOGETHER)))
        _counted.append(len(_counted))  # a process may join for one run after another: none reads another's words
        self._beats = Beats(dist.PrefixStore(f"lascaux/{len(_counted)}/life", store), rank, size)
        # Its own connection; and once it stands, the first beats of all are in the store.
        group = dist.PrefixStore(f"lascaux/{len(_counted)}/group", store.clone())
        if device.type == "cuda":
            torch.cuda.set_device(device)
        dist.init_process_group(self.backend, store=group, rank=rank, world_size=size, timeout=PATIENCE)
        self.wait()
        self._beats.start()

    @property
    def first(self) -> bool:
        """Whether this is rank 0, which writes."""
        return self.rank == 0

    def sum(self, x: Tensor, what: str) -> None:
        """The sum of every rank's ``x`` (any shape, the same on all), in place."""
        self.sent[what] += x.numel() * x.element_size()
        with self._others_may_die():
            dist.all_reduce(x)

    def made_by(self, rank: int, make: Callable[[], T]) -> T:
        """What ``make`` gives on a rank, on all of them; an InputError that it raises there is raised on all, too."""
        given: list[Any] = [None, None]
        if rank == self.rank:
            try:
                given[0] = make()
            except InputError as error:
                given[1] = [None if each is None else str(each) for each in (error.what, error.where, error.do)]
        with self._others_may_die():
            dist.broadcast_object_list(given, src=rank)
        made, wrong = given
        if wrong is not None:
            raise InputError(*wrong)
        return made

    def gather(self, value: T) -> list[T]:
        """Every rank's value, by rank, on all of them."""
        found: list[Any] = [None] * self.size
        with self._others_may_die():
            dist.all_gather_object(found, value)
        return found

    def gather_first(self, value: T) -> list[T]:
        """Every rank's value, by rank, on rank 0; nothing elsewhere."""
        found: list[Any] | None = [None] * self.size if self.first else None
        with self._others_may_die():
            dist.gather_object(value, found)
        return found or []

    def wait(self) -> None:
        """Until all ranks are here."""
        with self._others_may_die():
            dist.barrier()

    def exchange(
        self, parcels: Sequence[UInt8[Tensor, " _"]], what: str, sizes: Sequence[int] | None = None
    ) -> list[UInt8[Tensor, " _"]]:
        """Hand each rank its parcel of bytes; gives what each has sent here, by rank.

        ``sizes`` are those of what comes, where they are known; they are asked for when left out.
        """
        own = [len(each) for each in parcels]
        with self._others_may_die():
            if sizes is None:
                told = torch.tensor(own, device=self.device)
                coming = torch.empty_like(told)
                dist.all_to_all_single(coming, told)
                self.sent[what] += told.numel() * told.element_size()
                sizes = coming.tolist()
            got = torch.empty(sum(sizes), dtype=torch.uint8, device=self.device)
            dist.all_to_all_single(got, torch.cat(list(parcels)), list(sizes), own)
        self.sent[what] += sum(own)
        return list(got.split(list(sizes)))

    @contextmanager
    def _others_may_die(self) -> Iterator[None]:
        """What torch raises where a rank is gone, as a line that names it."""
        try:
            yield
        except RuntimeError as error:
            self._leaving = True
            raise self._lost(error) from error

    def _lost(self, error: RuntimeError) -> Exception:
        do = "the run goes on from its last checkpoint with --resume"
        try:
            self._beats.tell("", own=False)
            dead = self._beats.dead()
            failed = self._beats.failed()
        except RuntimeError:
            return _Noticed("the store that all ranks share is gone, and with it rank 0 or its machine", None, do)
        told = [f"rank {rank} failed: {line}" for rank, line in failed.items()]
        told += [f"rank {rank} died without a word" for rank in dead]
        return _Noticed("; ".join(told), None, do) if told else error

    def tell(self, error: Exception) -> Exception:
        """Leave word why this rank stops; gives what is to be raised here."""
        self._leaving = True
        if isinstance(error, _Noticed):
            return error
        wrong = isinstance(error, InputError)
        line = " ".join(f"{'' if wrong else f'{type(error).__name__}: '}{error}".split())[:500]
        try:
            self._beats.tell(line, own=True)
            if isinstance(error, InputError) and self.rank > 0:
                self._beats.dead()  # others may be about to fail alike
                if line in [told for rank, told in self._beats.failed().items() if rank < self.rank]:
                    return TellsElsewhere(error.what, error.where, error.do)
        except RuntimeError:
            return error  # nobody is left to read it
        return error

    def close(self, done: bool) -> None:
        """Beat no more, and let go of the others."""
        self._leaving = True
        if done:
            self._beats.end()
        else:
            self._beats.leave()
        if done and dist.is_initialized():
            dist.destroy_process_group()

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """A signal as ever, but for a rank that is just telling why it stops: that takes a second or two."""
        if not self._leaving:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


_here: World | None = None
_counted: list[int] = []
"""Every time that this process has joined others."""


def world() -> World | None:
    """The ranks that this process has joined (``joined``); None where it is alone."""
    return _here


@contextmanager
def joined(device: str = "auto") -> Iterator[World | None]:
    """Be one of the ranks that torchrun started, until the end of the block; None where there is one process.

    An error in the block is left as a word to the others, who stop with it. A block in another one joins nothing anew.

    Args:
        device: ``auto`` or ``cuda`` (the GPU of the rank's number on its machine), ``cuda:N``, or ``cpu``.

    Raises:
        InputError: a device that ranks cannot share work on.
    """
    global _here
    rank, size, local = started()
    if size == 1 or _here is not None:
        yield _here
        return
    _here = here = World(rank, size, local, device_of(device, local, rank))
    before = signal.signal(signal.SIGTERM, here.on_signal) if _main_thread() else None
    try:
        yield here
    except Exception as error:  # noqa: BLE001 (whatever it was, the others are told)
        raise here.tell(error) from error.__cause__
    except BaseException:
        here.close(done=False)
        raise
    else:
        here.close(done=True)
    finally:
        here.close(done=False)
        _here = None
        if before is not None:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def taking_turns(here: World | None) -> Iterator[None]:
    """On each machine rank 0 of it goes first, so that what it fetches or caches is there for the others."""
    if here is not None and here.local > 0:
        here.wait()
    yield
    if here is not None and here.local == 0:
        here.wait()


def _main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def device_of(name: str, local: int, rank: int) -> torch.device:
    """The device of a rank: ``local`` is its number on its machine.

    Raises:
        InputError: fewer GPUs than ranks, or a device that is neither ``cpu`` nor ``cuda``.
    """
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if name not in ("auto", "cuda"):
        raise InputError(f"{name} for every rank", "--device", "ranks take cpu, or cuda: the GPU of their number each")
    if local >= torch.cuda.device_count():
        told = f"rank {rank} is number {local} on its machine, which has {torch.cuda.device_count()} GPUs"
        raise InputError(told, "--device", "start as many ranks as there are GPUs, or say --device cpu")
    return torch.device("cuda", local)
