"""The trunks that come with lascaux are really trained: they recognise scikit-image's photos."""

import pytest
import torch
from skimage import data
from torchvision.models import MobileNet_V2_Weights

from perception import TimmTrunk, classify, weights
from perception.trunk import resize
from raster.errors import InputError

CATEGORIES = MobileNet_V2_Weights.DEFAULT.meta["categories"]
PHOTOS = {
    "chelsea": {"Egyptian cat", "tabby", "tiger cat"},
    "coffee": {"espresso", "cup"},
    "rocket": {"missile", "projectile", "space shuttle"},
}


def photo(name: str) -> torch.Tensor:
    """The middle square, [1, 3, side, side] in [0, 1]."""
    rgb = torch.from_numpy(getattr(data, name)()).permute(2, 0, 1) / 255
    side = min(rgb.shape[1:])
    top, left = (rgb.shape[1] - side) // 2, (rgb.shape[2] - side) // 2
    return rgb[None, :, top : top + side, left : left + side]


@pytest.mark.parametrize(
    ("eye", "name", "among"),
    [
        ("packaged", "chelsea", 1),
        ("packaged", "coffee", 1),
        ("packaged", "rocket", 1),
        ("judge", "chelsea", 1),
        ("judge", "coffee", 1),
        ("judge", "rocket", 2),  # it takes the launch tower for a drilling platform first
    ],
)
def test_it_recognises_a_photo(eye: str, name: str, among: int) -> None:
    logits = classify(photo(name), eye)
    assert logits.shape == (1, len(CATEGORIES))
    assert {CATEGORIES[i] for i in logits[0].topk(among).indices.tolist()} & PHOTOS[name]


def test_noise_is_not_recognised_as_the_photos_are() -> None:
    noise = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    sure = classify(torch.cat([noise, torch.nn.functional.interpolate(photo("coffee"), (224, 224))]))
    chance = sure.softmax(1).amax(1)
    assert float(chance[1]) > 0.5 > float(chance[0])


def test_only_networks_that_come_with_lascaux_can_classify() -> None:
    with pytest.raises(InputError, match="packaged and judge"):
        classify(photo("coffee"), "resnet18")


def test_a_classifier_says_what_timm_s_own_network_says() -> None:
    config = TimmTrunk(name="judge")
    plain = weights.full_network(config.architecture)
    state = weights.state_for(config)
    assert state is not None
    plain.load_state_dict(state)
    rgb = torch.rand(20, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (weights.LITE_MEAN, weights.LITE_STD))
    with torch.no_grad():
        expected = plain.eval()((resize(rgb, 96) - mean) / std)
    torch.testing.assert_close(classify(rgb, "judge", 96), expected, rtol=1e-3, atol=1e-3)
