"""Policies that act: PPO, rollouts, checkpoints, evaluation. Knows spaces and tensors only."""

if __name__ != "visnav.agents":
    raise ImportError(
        f"this package is visnav.agents, but it was imported as {__name__!r}; "
        "install the repository (pip install -e .) and write `import visnav.agents`"
    )
