"""What a user runs: train, evaluate, watch, play, benchmark. The only place that looks up IDs."""

if __name__ != "visnav.experiments":
    raise ImportError(
        f"this package is visnav.experiments, but it was imported as {__name__!r}; "
        "install the repository (pip install -e .) and write `import visnav.experiments`"
    )
