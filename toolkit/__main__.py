"""``python -m toolkit`` and the program ``toolkit``: the command line in a process of its own."""

import signal


def main() -> None:
    """Run the command line. A signal is told to the user while everything is imported, too."""
    masks = hasattr(signal, "pthread_sigmask")  # signals that come before they can be told are held back until then
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)) if masks else ()
    from toolkit.cli.interrupted import told_when_interrupted
    from toolkit.utils.interruption import finish

    try:
        with told_when_interrupted():
            if masks:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            from toolkit.cli.main import main as run

            run()
    finally:
        finish()


if __name__ == "__main__":
    main()
