"""Every game by the word that a config uses for it."""

from typing import Annotated

from pydantic import Field

from games.pictionary import Pictionary
from games.referential import Mixture, Referential

GameConfig = Annotated[Referential | Mixture | Pictionary, Field(discriminator="kind")]
