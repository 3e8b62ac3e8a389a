"""Every game by the word that a config uses for it."""

from typing import Annotated

from pydantic import Field

from games.description import Description
from games.pictionary import Pictionary
from games.referential import Mixture, Referential
from games.tracing import Tracing

GameConfig = Annotated[Referential | Mixture | Pictionary | Tracing | Description, Field(discriminator="kind")]
