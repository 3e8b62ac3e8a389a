"""What a trunk's config accepts, resolves and refuses."""

import pytest
from pydantic import TypeAdapter, ValidationError

from perception import ConvnetTrunk, TimmTrunk, TrunkConfig, uses_judge


def test_the_kind_chooses_the_model() -> None:
    read = TypeAdapter(TrunkConfig).validate_python
    assert read({"kind": "timm"}) == TimmTrunk(name="packaged", weights="auto", size=None)
    assert read({"kind": "convnet", "channels": [8, 16]}) == ConvnetTrunk(channels=(8, 16))
    with pytest.raises(ValidationError, match="channles"):
        read({"kind": "convnet", "channles": [8]})


def test_equal_configs_are_one_dictionary_key() -> None:
    assert {TimmTrunk(): 1}[TimmTrunk(name="packaged")] == 1
    assert len({ConvnetTrunk(), ConvnetTrunk(channels=(32, 64, 96)), ConvnetTrunk(channels=(1,))}) == 2


@pytest.mark.parametrize(
    ("name", "source"),
    [("packaged", "packaged"), ("judge", "judge"), ("resnet18", "hub"), ("tf_efficientnet_lite0", "hub")],
)
def test_automatic_weights_go_with_the_name(name: str, source: str) -> None:
    assert TimmTrunk(name=name).source == source


def test_a_mistyped_word_for_weights_is_told_the_nearest_one() -> None:
    with pytest.raises(ValidationError, match="did you mean 'packaged'"):
        TimmTrunk(weights="pakcaged")
    assert TimmTrunk(weights="my/own.safetensors").source == "my/own.safetensors"


def test_packaged_weights_are_refused_for_another_network() -> None:
    with pytest.raises(ValidationError, match="belong to tf_efficientnet_lite0, not to resnet18"):
        TimmTrunk(name="resnet18", weights="packaged")


@pytest.mark.parametrize(
    ("config", "judged"),
    [
        (TimmTrunk(), False),
        (TimmTrunk(name="judge"), True),
        (TimmTrunk(name="tf_efficientnet_lite2", weights="judge"), True),
        (TimmTrunk(name="tf_efficientnet_lite2"), True),
        (TimmTrunk(name="tf_efficientnet_lite2.in1k", weights="hub"), True),
        (TimmTrunk(name="judge", weights="random"), False),
        (TimmTrunk(name="judge", weights="x/efficientnet-lite2-9656183e.pth"), True),
        (TimmTrunk(name="resnet18"), False),
        (ConvnetTrunk(), False),
    ],
)
def test_the_judges_eye_is_recognised_by_whatever_name(config: TimmTrunk | ConvnetTrunk, judged: bool) -> None:
    assert uses_judge(config) is judged
