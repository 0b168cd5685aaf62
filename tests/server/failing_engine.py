"""The forecast server with an engine that fails in a step, run as a program: for jobs of `FATAL` rows."""

FATAL = 13

if __name__ == "__main__":
    from kronos_server.__main__ import main

    main()
else:  # the engine's process, which imports the program again
    from collections.abc import Sequence

    from kronos_server.engine import Engine, Run

    step = Engine.step

    def failing(self: Engine, runs: Sequence[Run]) -> None:
        if any(run.job.horizon == FATAL for run in runs):
            raise RuntimeError("injected fault")
        step(self, runs)

    Engine.step = failing  # type: ignore[method-assign]
