"""Networks that see: layers, encoders, heads. Torch only; knows no environment rules."""

if __name__ != "visnav.perception":
    raise ImportError(
        f"this package is visnav.perception, but it was imported as {__name__!r}; "
        "install the repository (pip install -e .) and write `import visnav.perception`"
    )
