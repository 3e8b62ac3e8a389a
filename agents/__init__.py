"""Who draws and who looks: senders, receivers, biases, communities."""

from agents.bias import AnyBias, Bias, Played, bias
from agents.biases import Ink, Likeness, Tremor
from agents.community import Community, CommunityConfig, Pair
from agents.describer import Describer, DescriberConfig
from agents.eye import View
from agents.free import Free, FreeConfig, FreeHand
from agents.heads import HeadConfig, StrokesConfig
from agents.moment import Moment
from agents.receiver import Receiver, ReceiverConfig
from agents.sender import Sender, SenderConfig
from agents.turns import Turns

__all__ = [
    "AnyBias",
    "Bias",
    "Community",
    "CommunityConfig",
    "Describer",
    "DescriberConfig",
    "Free",
    "FreeConfig",
    "FreeHand",
    "HeadConfig",
    "Ink",
    "Likeness",
    "Moment",
    "Pair",
    "Played",
    "Receiver",
    "ReceiverConfig",
    "Sender",
    "SenderConfig",
    "StrokesConfig",
    "Tremor",
    "Turns",
    "View",
    "bias",
]
