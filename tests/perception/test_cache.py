"""Features are computed once, kept whole, and computed again rather than trusted when a file is damaged."""

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perception import FeatureCache, cache_folder


class Maker:
    """Counts how often it is asked."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor, self.calls = tensor, 0

    def __call__(self) -> torch.Tensor:
        self.calls += 1
        return self.tensor


def refuse() -> torch.Tensor:
    raise AssertionError("the cache should have known")


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(0))


def test_a_second_get_is_equal_and_computes_nothing(tmp_path: Path, features: torch.Tensor) -> None:
    make = Maker(features)
    first = FeatureCache(tmp_path).get("a-b-0", make)
    assert make.calls == 1
    assert first.dtype == torch.float16
    assert torch.equal(first, features.half())
    assert torch.equal(FeatureCache(tmp_path).get("a-b-0", refuse), first)  # another process, in effect


def test_a_cache_without_a_folder_keeps_things_in_memory(features: torch.Tensor) -> None:
    cache = FeatureCache(None)
    assert cache.path("k") is None
    assert torch.equal(cache.get("k", Maker(features)), cache.get("k", refuse))


def test_levels_of_one_pass_are_made_together(tmp_path: Path, features: torch.Tensor) -> None:
    cache = FeatureCache(tmp_path)
    cache.get("level-0", Maker(features))
    passes = []

    def make() -> list[torch.Tensor]:
        passes.append(1)
        return [features + 1, features + 2]

    both = cache.get_many(["level-0", "level-1"], make)
    assert torch.equal(both[0], features.half())  # what was there stays
    assert torch.equal(both[1], (features + 2).half())
    assert len(passes) == 1
    cache.get_many(["level-1", "level-0"], make)
    assert len(passes) == 1
    with pytest.raises(ValueError, match="2 tensors for 1 keys"):
        cache.get_many(["other"], make)


@pytest.mark.parametrize("keep", [0, 1, 8, 60, 0.5, 0.999])
def test_a_cut_off_file_is_computed_again(
    tmp_path: Path, features: torch.Tensor, caplog: pytest.LogCaptureFixture, keep: float
) -> None:
    FeatureCache(tmp_path).get("k", Maker(features))
    path = FeatureCache(tmp_path).path("k")
    assert path is not None
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep if keep >= 1 else keep * len(whole))])
    make = Maker(features)
    with caplog.at_level(logging.WARNING):
        again = FeatureCache(tmp_path).get("k", make)
    assert make.calls == 1
    assert torch.equal(again, features.half())
    assert str(path) in caplog.text
    assert path.read_bytes() == whole


def test_a_file_of_another_key_is_not_trusted(tmp_path: Path, features: torch.Tensor) -> None:
    cache = FeatureCache(tmp_path)
    cache.get("one", Maker(features))
    one, two = cache.path("one"), cache.path("two")
    assert one is not None and two is not None
    one.rename(two)
    make = Maker(features * 2)
    assert torch.equal(cache.get("two", make), (features * 2).half())
    assert make.calls == 1


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_logged_and_the_run_goes_on(
    tmp_path: Path, features: torch.Tensor, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perception.cache.save_file", full_disk)
    cache = FeatureCache(tmp_path)
    with caplog.at_level(logging.WARNING):
        first = cache.get("k", Maker(features))
    assert "No space left" in caplog.text
    assert torch.equal(cache.get("k", refuse), first)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_logged_and_the_run_goes_on(
    tmp_path: Path, features: torch.Tensor, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = FeatureCache(tmp_path / "file" / "features")
    with caplog.at_level(logging.WARNING):
        cache.get("k", Maker(features))
    assert "stay in memory" in caplog.text
    assert torch.equal(cache.get("k", refuse), features.half())


@pytest.mark.parametrize("failing", ["pathlib.Path.replace", "perception.cache.save_file"])
def test_a_kill_while_writing_leaves_the_old_file_whole(
    tmp_path: Path, features: torch.Tensor, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    cache = FeatureCache(tmp_path)
    cache.get("k", Maker(features))
    path = cache.path("k")
    assert path is not None
    monkeypatch.setattr(failing, killed)
    with pytest.raises(KeyboardInterrupt):
        cache._write(path, "k", features.half())
    assert torch.equal(FeatureCache(tmp_path).get("k", refuse), features.half())
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_values_beyond_float16_are_clamped_not_infinite(tmp_path: Path) -> None:
    kept = FeatureCache(tmp_path).get("k", Maker(torch.tensor([1e9, -1e9, 1.0])))
    assert kept.tolist() == [65504.0, -65504.0, 1.0]


@settings(max_examples=50, deadline=None)
@given(keys=st.lists(st.text(min_size=1, max_size=300), min_size=2, max_size=2, unique=True))
def test_any_key_is_one_file_name_and_no_two_keys_share_one(keys: list[str]) -> None:
    cache = FeatureCache("folder")
    paths = [cache.path(key) for key in keys]
    assert all(path is not None and path.parent == Path("folder") and len(path.name) < 200 for path in paths)
    assert paths[0] != paths[1]


def test_what_is_kept_can_be_used_in_training(tmp_path: Path, features: torch.Tensor) -> None:
    kept = FeatureCache(tmp_path).get("k", Maker(features.requires_grad_()))
    assert not kept.requires_grad
    weight = torch.ones(3, requires_grad=True)
    (kept[[0, 3]].float() * weight).sum().backward()
    assert weight.grad is not None


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chosen: Callable[[str, str], None] = monkeypatch.setenv
    monkeypatch.delenv("LASCAUX_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path.home() / ".cache" / "lascaux"
    chosen("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x" / "lascaux"
    chosen("LASCAUX_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    assert FeatureCache.of_user().folder == tmp_path / "own" / "features"
    assert not (tmp_path / "own").exists()
