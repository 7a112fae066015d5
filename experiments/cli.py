"""The command `visnav`: looks up the verb and hands the rest of the line to `visnav.experiments.<verb>`.

    visnav list | train | evaluate | compare | watch | play | layout | benchmark | demo
    visnav --import MODULE VERB ...     (first import a module, which registers tasks of one's own)

`visnav VERB --help` tells a verb's options.

Every verb is a module with `main(argv: list[str] | None = None) -> int`, imported only when it is called.
"""

import difflib
import importlib
import os
import sys

import gymnasium

COMMANDS = {
    "list": "print the IDs of the environments",
    "train": "train PPO from pixels",
    "evaluate": "success of a trained policy on train and test layouts, and the gap",
    "compare": "several runs: scores with intervals, learning curves with bands",
    "watch": "watch a trained policy, or random actions, in a window",
    "play": "play with the keyboard",
    "layout": "print a level as text, to be edited and played again",
    "benchmark": "frames per second, also beside the original package",
    "demo": "train on DoorKey-8x8, evaluate on unseen layouts, show a rollout",
}

# Errors that tell the person at the keyboard what to change; any other is our fault and keeps its traceback.
USER_ERRORS = (gymnasium.error.Error, ValueError, OSError, FloatingPointError)


def usage() -> str:
    """What `visnav --help` prints."""
    lines = [f"  {name:<10} {purpose}" for name, purpose in COMMANDS.items()]
    return "\n".join(
        [
            "usage: visnav [--import MODULE] COMMAND [OPTIONS]",
            "",
            *lines,
            "",
            "--import MODULE, of this folder or installed, first: tasks of your own that it registers",
            "`visnav COMMAND --help` tells the options.",
        ]
    )


def import_modules(arguments: list[str]) -> list[str]:
    """Import every MODULE of the leading pairs `--import MODULE`; returns what follows them.

    Only what a person types is ever imported, never what a run's folder names.

    Raises:
        ValueError: there is no such module.
    """
    while arguments and arguments[0] == "--import":
        if len(arguments) == 1:
            raise ValueError("--import takes the name of a module that registers tasks")
        name = arguments[1]
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if not f"{name}.".startswith(f"{error.name}."):
                raise  # of a module that it imports
            raise ValueError(f"there is no module {name!r}, neither in this folder nor installed") from error
        arguments = arguments[2:]
    return arguments


def main(argv: list[str] | None = None) -> int:
    """Run one command line (default: this process's) and return its exit status: 2 for a user's mistake."""
    try:
        arguments = import_modules(sys.argv[1:] if argv is None else argv)
    except ValueError as error:
        return complain(str(error))
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    command, *rest = arguments
    if command not in COMMANDS:
        near = difflib.get_close_matches(command, COMMANDS, n=2) or list(COMMANDS)
        return complain(f"there is no command {command!r}; did you mean {' or '.join(near)}?")
    try:
        return int(importlib.import_module(f"visnav.experiments.{command}").main(rest))
    except KeyboardInterrupt:
        return 130  # what a shell reports for Ctrl-C
    except BrokenPipeError:  # the reader went away, as in `visnav list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ModuleNotFoundError as error:
        if (error.name or "visnav").split(".")[0] == "visnav":
            raise
        return complain(f"{command} needs {error.name}: pip install 'visnav[train]'")
    except USER_ERRORS as error:
        if sys.flags.dev_mode:  # python -X dev
            raise
        return complain(str(error))


def complain(message: str) -> int:
    """Print one line to standard error and return the exit status of a usage error."""
    print(f"visnav: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
