"""The errors a user can meet: what was wrong, what was expected, what was found, what to do next."""

from collections.abc import Sequence


class CxrkitError(Exception):
    """A mistake of input or set-up that the user can mend; ends a command with exit code 2.

    Args:
        problem: what was wrong, one line.
        expected: what would have been right.
        found: what was there instead, and where.
        next_step: what to do about it, a command where there is one.
    """

    exit_code = 2
    label = "error"

    def __init__(self, problem: str, *, expected: str = "", found: str = "", next_step: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.expected = expected
        self.found = found
        self.next_step = next_step

    def __str__(self) -> str:
        """Gives the message in up to four aligned parts."""
        parts = [self.problem]
        for label, text in (("expected", self.expected), ("found", self.found), ("next", self.next_step)):
            if text:
                indented = text.replace("\n", "\n" + " " * 12)
                parts.append(f"  {label:<8}  {indented}")
        return "\n".join(parts)


class SettingsError(CxrkitError):
    """One or several settings are wrong; `mistakes` holds a line for each."""

    def __init__(self, source: str, mistakes: Sequence[str]) -> None:
        count = len(mistakes)
        mend = "mend it" if count == 1 else "mend them all in one go"
        super().__init__(
            f"{count} mistake{'s' if count != 1 else ''} in the settings ({source})",
            found="\n".join(mistakes),
            next_step=f"{mend}; `cxrkit config show --task vqa|classify` prints every key with its default",
        )
        self.mistakes = tuple(mistakes)


class DataLayoutError(CxrkitError):
    """A data set's folder lacks a file, a column or a consistent split."""


class ArtifactError(CxrkitError):
    """An artifact on disk is missing, unfinished, damaged, or made from other inputs."""


class AnalysisMissingError(CxrkitError):
    """Training was asked for without a passing analysis of the same data."""


class TrainingDivergedError(CxrkitError):
    """Losses or gradients stayed without a finite value; training was stopped."""


class TrainingStopped(CxrkitError):  # noqa: N818 - nothing went wrong
    """Training was asked to stop by a signal; a checkpoint of the last update was saved."""

    # Of sysexits.h: try again later. SLURM scripts requeue on it.
    exit_code = 75
    label = "stopped"


class ProcessLostError(CxrkitError):
    """One of several processes that train together died, was stopped, or does not answer."""

    exit_code = 70  # of sysexits.h: something broke that the command line did not cause


class PublishingError(CxrkitError):
    """A model could not be sent to the hub; it is whole on this machine."""


class WeightsError(CxrkitError):
    """Pretrained weights cannot be had, or do not fit the model."""
