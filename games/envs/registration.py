"""The names under which gymnasium knows these games."""

import gymnasium

IDS = {"lascaux/Referential-v0": "referential", "lascaux/Pictionary-v0": "pictionary"}
"""Each name and the game that it is (``Rules.of``)."""


def register() -> None:
    """Make ``gymnasium.make`` and ``make_vec`` know the games; called when ``games.envs`` is imported.

    Gymnasium looks for no plugins of its own accord, so somebody must import this package:
    ``gymnasium.make("games.envs:lascaux/Referential-v0")`` does it too. What is registered already stays.
    """
    for name, game in IDS.items():
        if name not in gymnasium.registry:
            gymnasium.register(
                id=name,
                entry_point="games.envs.single:DrawingEnv",
                vector_entry_point="games.envs.vector:DrawingVectorEnv",
                kwargs={"game": game},
            )
