"""Runs the demo's stages one after the other, each through the artifacts of the one before."""

import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cxrkit.analysis import AnalysisReport, analyze
from cxrkit.data.films.opener import films_of
from cxrkit.data.index import Index
from cxrkit.data.mimic_cxr.layout import find_mimic_cxr
from cxrkit.data.prepare import prepare_workspace
from cxrkit.data.qba.layout import find_qba
from cxrkit.data.rejects import RejectLog
from cxrkit.data.synthetic import write_dataset
from cxrkit.demo.page import write_demo_page
from cxrkit.demo.settings import IMAGE_SIZE, PATIENTS, STORE_SIZE, classifier_settings, vqa_settings
from cxrkit.errors import CxrkitError
from cxrkit.evaluation.publish import EvaluationResult
from cxrkit.evaluation.run import evaluate_classifier, evaluate_vqa
from cxrkit.training.classify import train_classifier
from cxrkit.training.gate import require_analysis
from cxrkit.training.vqa import train_vqa

logger = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
MARKER = "cxrkit_demo.txt"


@dataclass(frozen=True)
class DemoResult:
    """What the demo made.

    Attributes:
        report_path: the self-contained page.
        table: rows of the headline table of both models.
        seconds: wall-clock seconds of each stage.
    """

    report_path: Path
    table: list[tuple[str, ...]]
    seconds: dict[str, float]


def run_demo(
    output_dir: Path, data: Path | None = None, seed: int = 0, progress: Progress | None = None
) -> DemoResult:
    """Runs everything from data to report.

    Args:
        output_dir: an empty or new folder, or one that an earlier demo wrote (its content is replaced).
        data: folder that holds `mimic-cxr-jpg` and `mimic-ext-cxr-qba`; None writes a synthetic set.
        seed: of data and training.
        progress: called with (stage, done, total).

    Raises:
        CxrkitError: the folder holds other files, or a stage finds a mistake in the data.
    """
    if data is not None:
        _check_data(data, output_dir)
    _claim(output_dir)
    progress = progress or _silent
    clock = _Clock()
    root = _synthetic(output_dir, seed, progress) if data is None else data
    clock.stop("data")
    paths: dict[str, object] = {
        "mimic_cxr_jpg_path": root / "mimic-cxr-jpg",
        "mimic_ext_cxr_qba_path": root / "mimic-ext-cxr-qba",
        "workspace": output_dir / "workspace",
        "analysis_dir": output_dir / "analysis_output",
        # Films that somebody brought along may be patients': shown only when asked for.
        "films_in_reports": data is None,
    }
    index, analysis = _prepare_and_analyze(root, output_dir, progress)
    require_analysis(index.fingerprint, output_dir / "analysis_output", "cxrkit analyze")
    clock.stop("preparation and analysis")
    studies = int(index.counts["studies"]["train"])
    classify = classifier_settings(output_dir / "checkpoints" / "classifier", paths, seed, studies)
    classifier = train_classifier(classify, progress=progress)
    clock.stop("training the classifier")
    vqa = vqa_settings(output_dir / "checkpoints" / "vqa", paths, seed, studies, classifier.best_model)
    answerer = train_vqa(vqa, progress=progress)
    clock.stop("training the VQA model")
    results = output_dir / "evaluation_results"
    evaluations: list[EvaluationResult] = [
        evaluate_vqa(answerer.best_model, vqa, output_dir=results / "vqa", progress=progress),
        evaluate_classifier(
            classifier.best_model, classify, output_dir=results / "classifier", progress=progress
        ),
    ]
    clock.stop("evaluation")
    report = output_dir / "report.html"
    write_demo_page(report, analysis, evaluations, index, synthetic=data is None, seconds=clock.seconds)
    return DemoResult(report, [tuple(row) for result in evaluations for row in result.table], clock.seconds)


class _Clock:
    """Notes how long each stage took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._start = time.monotonic()

    def stop(self, stage: str) -> None:
        now = time.monotonic()
        self.seconds[stage] = now - self._start
        self._start = now
        logger.info("%s: %.0f s", stage, self.seconds[stage])


def _silent(stage: str, done: int, total: int) -> None:
    """Shows nothing."""


def _check_data(data: Path, output_dir: Path) -> None:
    """Finds both data sets before anything is emptied, and refuses data that lie in the demo's own folder."""
    if data.resolve().is_relative_to(output_dir.resolve()):
        raise CxrkitError(
            "the data lie in the folder that the demo empties",
            expected="data outside the demo's folder",
            found=f"{data} in {output_dir}",
            next_step="pass another --output_dir",
        )
    find_mimic_cxr(data / "mimic-cxr-jpg")
    find_qba(data / "mimic-ext-cxr-qba", RejectLog())


def _claim(output_dir: Path) -> None:
    """Empties the folder of an earlier demo; refuses one with other content."""
    if output_dir.exists() and any(output_dir.iterdir()):
        if not (output_dir / MARKER).is_file():
            raise CxrkitError(
                "the demo's folder holds other files",
                expected="a new or empty folder, or one that an earlier demo wrote",
                found=str(output_dir),
                next_step="pass another --output_dir",
            )
        shutil.rmtree(output_dir)
    output_dir.mkdir(parents=True, exist_ok=True)
    (output_dir / MARKER).write_text("Written by `cxrkit demo`, which empties this folder when run again.\n")


def _synthetic(output_dir: Path, seed: int, progress: Progress) -> Path:
    def report(done: int, total: int) -> None:
        progress("writing films", done, total)

    root = output_dir / "data"
    write_dataset(root, patients=PATIENTS, seed=seed, image_size=IMAGE_SIZE, workers=2, progress=report)
    return root


def _prepare_and_analyze(root: Path, output_dir: Path, progress: Progress) -> tuple[Index, AnalysisReport]:
    workspace = output_dir / "workspace"
    prepare_workspace(
        root / "mimic-cxr-jpg",
        root / "mimic-ext-cxr-qba",
        workspace,
        image_store_size=STORE_SIZE,
        progress=progress,
    )

    index = Index.open(workspace)
    return index, analyze(
        index, output_dir / "analysis_output", quality_grade="B", films=films_of(index), progress=progress
    )
