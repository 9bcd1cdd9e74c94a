"""Graphs, questions and weights of whole batches against plain code, one film at a time."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from cxrkit.data.batches.balance import AnswerBalance, balanced_question_weights
from cxrkit.data.batches.graphs import film_graphs
from cxrkit.data.batches.loading import training_films
from cxrkit.data.batches.reference_boxes import mean_region_boxes
from cxrkit.data.batches.sampling import draw_questions
from cxrkit.data.batches.selection import Filters, select_films, select_questions
from cxrkit.data.batches.targets import to_pixels, to_relative
from cxrkit.vocabulary import REGIONS


def plain_graph(index, store, image_row):
    """The scene graph of one film, row by row."""
    study = index.images.column("study_row")[image_row].as_py()
    of_study = {name: index.studies.column(name)[study].as_py() for name in index.studies.schema.names}
    boxes, has_box = np.zeros((26, 4), np.float32), np.zeros(26, bool)
    for offset in range(of_study["num_region_boxes"]):
        row = index.region_boxes.slice(of_study["first_region_box"] + offset, 1).to_pylist()[0]
        node = row["node"]
        trusted = not row["is_fallback"] and row["localization_quality"] >= 3
        if row["image_row"] == image_row and node >= 0 and trusted and not has_box[node]:
            corners = np.array([row[name] for name in ("x1", "y1", "x2", "y2")], np.float32)
            pads = np.array([store.pad_x[image_row], store.pad_y[image_row]] * 2, np.float64)
            scaled = corners * np.float32(store.scale[image_row])
            boxes[node] = (scaled + pads) / int(store.side[image_row])
            has_box[node] = True
    findings = np.zeros((26, len(index.vocabularies.entities)), np.float32)
    for offset in range(of_study["num_observations"]):
        row = index.observations.slice(of_study["first_observation"] + offset, 1).to_pylist()[0]
        for node in range(26):
            if row["positiveness"] == 1 and row["node_bits"] >> node & 1:
                for entity in row["entities"]:
                    findings[node, entity] = 1
    return boxes, has_box, findings, of_study["has_scene_graph"]


def assert_graphs_are_plain(index, store, rows):
    graphs = film_graphs(index, store, rows)
    assert graphs.boxes_xyxy_rel.dtype == graphs.findings.dtype == np.float32
    for place, row in enumerate(rows.tolist()):
        boxes, has_box, findings, valid = plain_graph(index, store, row)
        np.testing.assert_array_equal(graphs.boxes_xyxy_rel[place], boxes)
        np.testing.assert_array_equal(graphs.has_box[place], has_box)
        np.testing.assert_array_equal(graphs.findings[place], findings)
        assert graphs.valid[place] == valid


def test_graphs_of_a_batch_are_those_of_its_films(index, store):
    rows = np.random.default_rng(0).permutation(index.images.num_rows)[:24]
    assert_graphs_are_plain(index, store, np.concatenate([rows, rows[:2]]))


def test_the_first_box_of_a_node_stands_among_many(index, store):
    """Every box on three nodes, trusted or not at random: synonyms meet in nearly every film."""
    rng = np.random.default_rng(1)
    table = index.region_boxes
    changed = {
        "node": rng.integers(-1, 3, table.num_rows),
        "is_fallback": rng.random(table.num_rows) < 0.3,
        "localization_quality": rng.integers(2, 5, table.num_rows),
    }
    for name, values in changed.items():
        place = table.schema.get_field_index(name)
        field = table.schema.field(name)
        table = table.set_column(place, field, pa.array(values.astype(field.type.to_pandas_dtype())))
    crowded = replace(index, region_boxes=table, _columns={})
    assert_graphs_are_plain(crowded, store, np.arange(16))


def test_no_film_is_no_graph(index, store):
    graphs = film_graphs(index, store, np.zeros(0, dtype=np.int64))
    assert graphs.boxes_xyxy_rel.shape == (0, 26, 4)


def test_reference_boxes_are_means_over_films(index, store):
    rows = select_films(index, "train", "frontal_only", one_film_per_study=False)
    plain = [plain_graph(index, store, int(row))[:2] for row in rows]
    expected = np.tile(np.array([0.25, 0.25, 0.75, 0.75]), (len(REGIONS), 1))
    for node in range(26):
        own = [boxes[node] for boxes, has_box in plain if has_box[node]]
        if own:
            expected[node] = np.mean(own, axis=0, dtype=np.float64)
    np.testing.assert_allclose(mean_region_boxes(index, store, rows), expected, atol=1e-6)


def test_boxes_of_many_films_go_there_and_back(index, store):
    rows = np.arange(index.images.num_rows)
    boxes = np.random.default_rng(0).uniform(0, 150, (len(rows), 4)).astype(np.float32)
    together = to_relative(boxes, store, rows)
    for row in rows:
        np.testing.assert_array_equal(together[row], to_relative(boxes[row], store, int(row)))
    np.testing.assert_allclose(to_pixels(together, store, rows), boxes, atol=1e-3)


def plain_selection(index, filters):
    """(film, question) pairs of the training split, question by question."""
    questions = index.questions.to_pylist()
    studies = index.studies.to_pylist()
    pairs, free_text, masked = [], 0, 0
    for image_row, image in enumerate(index.images.to_pylist()):
        study = studies[image["study_row"]]
        if study["split"] != 0 or (filters.view_filter == "frontal_only" and image["view"] != 0):
            continue
        for row in range(study["first_question"], study["first_question"] + study["num_questions"]):
            question = questions[row]
            known = [
                question["binary_target"] >= 0, question["category_valid"],
                question["region_valid"], question["severity_target"] >= 0,
            ]  # fmt: skip
            if question["rating"] < filters.minimum_rating:
                continue
            if question["head"] < 0:
                free_text += 1
            elif not known[question["head"]]:
                masked += 1
            else:
                pairs.append((image_row, row))
    return pairs, free_text, masked


@pytest.mark.parametrize("filters", [Filters(minimum_rating=3), Filters("all", minimum_rating=0)])
@pytest.mark.parametrize("at_a_time", [4096, 3])
def test_a_selection_is_what_plain_code_selects(index, filters, at_a_time, monkeypatch):
    monkeypatch.setattr("cxrkit.data.batches.selection._FILMS_AT_A_TIME", at_a_time)
    pairs, free_text, masked = plain_selection(index, filters)
    selection = select_questions(index, "train", filters, one_film_per_study=False)
    assert (selection.free_text, selection.masked) == (free_text, masked)
    assert np.concatenate(list(selection.parts(index))).tolist() == [row for _, row in pairs]
    assert np.repeat(selection.image_rows, selection.num_questions).tolist() == [film for film, _ in pairs]
    texts = {index.questions.column("question_text")[row].as_py() for _, row in pairs}
    assert selection.question_texts(index).tolist() == sorted(texts)


def test_weights_are_inverse_shares_of_answers(index, settings):
    rows = np.concatenate(
        list(
            select_questions(index, "train", Filters(minimum_rating=3), one_film_per_study=False).parts(index)
        )
    )
    questions = index.questions.take(pa.array(rows)).to_pylist()
    answers = [tuple(q[n] for n in ("binary_target", "severity_target", "polarity")) for q in questions]
    texts = [question["question_text"] for question in questions]
    of_text, of_pair = Counter(texts), Counter(zip(texts, answers, strict=True))
    kinds = Counter(text for text, _ in of_pair)
    expected = [
        of_text[text] / kinds[text] / of_pair[text, answer]
        for text, answer in zip(texts, answers, strict=True)
    ]
    found = balanced_question_weights(index, rows)
    assert found.tolist() == expected
    assert found.mean() == pytest.approx(1)
    in_parts = AnswerBalance.count(index, np.array_split(rows, 7)).weights(index, rows)
    assert in_parts.tolist() == expected


def test_questions_are_drawn_film_by_film_with_their_weights(index, store, settings):
    films = training_films(index, store, settings, seed=11)
    rows = np.concatenate(list(films.selection.parts(index)))
    weights = dict(zip(rows.tolist(), balanced_question_weights(index, rows).tolist(), strict=True))
    ends = np.cumsum(films.selection.num_questions)
    batch = films.__getitems__([(4, film) for film in range(len(films))])
    drawn = np.split(batch.questions, np.cumsum(batch.num_questions)[:-1])
    for film, (end, count) in enumerate(zip(ends, films.selection.num_questions, strict=True)):
        own = rows[end - count : end]
        places = draw_questions(11, 4, film, np.array([weights[row] for row in own.tolist()]), 5)
        assert drawn[film].tolist() == own[places].tolist()
