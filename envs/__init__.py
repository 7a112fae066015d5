"""Worlds that make pixels. Importing this package registers every visnav ID with Gymnasium."""

if __name__ != "visnav.envs":
    raise ImportError(
        f"this package is visnav.envs, but it was imported as {__name__!r}; "
        "install the repository (pip install -e .) and write `import visnav.envs`"
    )
