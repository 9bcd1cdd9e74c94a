"""Targets of the answer heads against hand-made answers."""

import msgspec
import pytest
from handmade_release import answer

from cxrkit.data.index.targets import (
    binary_target,
    category_target,
    joint_polarity,
    leading_word,
    main_answers,
    region_target,
    severity_target,
    worst_severity,
)
from cxrkit.data.qba.records import Answer
from cxrkit.vocabulary import FINDING_INDEX, FINDINGS, REGIONS, SEVERITIES, find_question_type


def decoded(*answers: dict) -> list[Answer]:
    return msgspec.json.decode(msgspec.json.encode(list(answers)), type=list[Answer])


def details(text: str, positive: bool | None, **more) -> dict:
    return answer(text, positive, **more) | {"answer_type": "details"}


def related(text: str, positive: bool | None, **more) -> dict:
    return answer(text, positive, **more) | {"answer_type": "related_information"}


def findings(bits: int) -> set[str]:
    return {name for index, name in enumerate(FINDINGS) if bits >> index & 1}


def regions(bits: int) -> set[str]:
    return {name for index, name in enumerate(REGIONS) if bits >> index & 1}


def category(kind: str, *answers: dict, variables: object = None) -> set[str] | None:
    target = category_target(find_question_type(kind), decoded(*answers), variables)
    return findings(target.bits) if target.valid else None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Yes, pneumonia.", 1),
        ("yes", 1),
        ("Yes there is one.", 1),
        ("No", 0),
        ("No.", 0),
        ("no - nothing", 0),
        ("No pneumothorax is seen.", -1),
        ("None.", -1),
        ("Normal.", -1),
        ("Yesterday's film was better.", -1),
        ("", -1),
        (None, -1),
    ],
)
def test_leading_word(text, word):
    assert leading_word(text) == word


@pytest.mark.parametrize(
    ("kind", "text", "positive", "target", "disagrees"),
    [
        ("D02_has_finding", "Yes, there is.", True, 1, False),
        ("D02_has_finding", "No, there is none.", False, 0, False),
        ("D02_has_finding", "There is an effusion.", True, 1, False),
        ("D02_has_finding", "No effusion is seen.", False, 0, False),
        ("D02_has_finding", "Yes, there is.", False, 1, True),
        ("D02_has_finding", "Perhaps.", None, -1, False),
        ("D02_has_finding", "Yes.", None, 1, False),
        ("B04_is_normal", "Yes, it is.", False, 1, False),
        ("B04_is_normal", "No, it is not.", True, 0, False),
        ("B04_is_normal", "The film is normal.", False, 1, False),
        ("B04_is_normal", "No abnormality is seen.", False, 1, False),
        ("B11_is_normal_subcat", "Yes.", True, 1, True),
    ],
)
def test_binary_target(kind, text, positive, target, disagrees):
    answers = decoded(answer(text, positive))
    assert binary_target(find_question_type(kind), answers, joint_polarity(answers)) == (target, disagrees)


def test_binary_target_takes_the_word_of_the_first_main_answer():
    answers = decoded(details("No.", False), answer("Yes.", True), answer("No.", False))
    main = main_answers(answers)
    assert binary_target(find_question_type("D02_has_finding"), main, joint_polarity(main)).target == 1


@pytest.mark.parametrize(
    ("polarities", "joint"),
    [([True, False], 1), ([False, False], 0), ([False, None], -1), ([None], -1), ([], -1), ([None, True], 1)],
)
def test_joint_polarity(polarities, joint):
    assert joint_polarity(decoded(*(answer("x", value) for value in polarities))) == joint


def test_category_collects_positive_entities_also_nested():
    nested = details("child", True, obs_entities=["nodule"])
    assert category(
        "B01_describe_all",
        answer("a", True, obs_entities=["pneumonia"], sub_answers=[nested]),
        answer("b", False, obs_entities=["cardiomegaly"]),
        details("c", True, obs_entities=["rib fracture"]),
        related("d", True, obs_entities=["edema"]),
    ) == {"Pneumonia", "Lung Lesion", "Fracture"}


def test_category_does_not_follow_negative_nested_answers_or_related_ones():
    nested = [details("x", False, obs_entities=["nodule"]), related("y", True, obs_entities=["edema"])]
    assert category(
        "B01_describe_all", answer("a", True, obs_entities=["pneumonia"], sub_answers=nested)
    ) == {"Pneumonia"}


def test_category_without_anything_positive_is_no_finding():
    assert category("B02_describe_abnormal", answer("fine", False, obs_entities=["pneumonia"])) == {
        "No Finding"
    }
    assert category("B02_describe_abnormal", answer("fine", False)) == {"No Finding"}
    assert category("B01_describe_all", answer("normal", True, obs_entities=["normal"])) == {"No Finding"}


def test_no_finding_gives_way_to_a_finding():
    both = answer("x", True, obs_entities=["normal", "pneumonia"])
    assert category("B01_describe_all", both) == {"Pneumonia"}


def test_category_leaves_devices_out_unless_asked():
    device = answer("a tube", True, obs_entities=["endotracheal tube"])
    assert category("B01_describe_all", device) == {"No Finding"}
    assert category("C01_describe_region", device, answer("x", True, obs_entities=["edema"])) == {"Edema"}
    assert category("D01_describe_finding", device) == {"Support Devices"}
    edema = answer("x", True, obs_entities=["edema"])
    assert category("D01_describe_finding", edema, device, variables={"finding": "edema"}) == {"Edema"}
    asked = {"finding": "endotracheal tube"}
    assert category("D01_describe_finding", edema, device, variables=asked) == {"Edema", "Support Devices"}


def test_category_is_masked_when_nothing_positive_maps():
    assert category("B01_describe_all", answer("x", True, obs_entities=["hernia"])) is None
    assert category("B01_describe_all", answer("x", True, obs_entities=["hernia", "edema"])) == {"Edema"}
    tube = answer("tube", True, obs_entities=["endotracheal tube"])
    assert category("B01_describe_all", tube, answer("x", True, obs_entities=["hernia"])) is None


def test_category_is_masked_when_the_polarity_or_the_name_is_unknown():
    assert category("B01_describe_all", answer("x", None, obs_entities=["edema"])) is None
    assert category("B01_describe_all", answer("something", True, obs_entities=[])) is None


@pytest.mark.parametrize("kind", ["B12_describe_device", "C07_describe_region_device", "D05_describe_device"])
def test_device_questions(kind):
    assert category(kind, answer("tube", True, obs_entities=["nasogastric tube"])) == {"Support Devices"}
    assert category(kind, answer("none", False, obs_entities=["nasogastric tube"])) == set()
    assert category(kind, answer("none", False)) == set()
    assert category(kind, answer("there is one", True)) == {"Support Devices"}
    assert category(kind, answer("odd", True, obs_entities=["bicycle"])) is None
    assert category(kind, answer("unclear", None)) is None


def test_region_target_takes_both_shapes_and_both_sides():
    target = region_target(
        decoded(
            answer("x", True, regions=["lungs", {"region": "heart", "distances": []}]),
            answer("y", False, regions=["trachea"]),
            related("z", True, regions=["carina"]),
        )
    )
    assert target.valid
    assert regions(target.bits) == {"left lung", "right lung", "cardiac silhouette"}


def test_region_target_negative_unmapped_and_unknown():
    assert region_target(decoded(answer("x", False, regions=["heart"]))) == (0, True)
    assert region_target(decoded(answer("x", True, regions=["stomach"]))) == (0, False)
    assert region_target(decoded(answer("x", True))) == (0, False)
    assert region_target(decoded(answer("x", None, regions=["heart"]))) == (0, False)
    mixed = region_target(decoded(answer("x", True, regions=["stomach", "svc"])))
    assert (regions(mixed.bits), mixed.valid) == ({"svc"}, True)


@pytest.mark.parametrize(
    "shape", [[["severity", "mild"], ["spread", "focal"]], {"severity": ["mild"], "spread": ["focal"]}]
)
def test_severity_in_both_shapes(shape):
    assert SEVERITIES[severity_target(decoded(answer("x", True, modifiers=shape)))] == "mild"


def test_severity_takes_the_worst_and_masks_what_it_cannot_tell():
    worst = decoded(
        answer("x", True, modifiers=[["severity", "mild"]]),
        details("y", True, modifiers={"severity": "large"}),
    )
    assert SEVERITIES[severity_target(worst)] == "severe"
    assert severity_target(decoded(answer("none", False))) == 0
    assert severity_target(decoded(answer("some", True))) == -1
    assert severity_target(decoded(answer("some", True, modifiers=[["severity", "odd"]]))) == -1
    assert severity_target(decoded(answer("some", None))) == -1
    negative = details("y", False, modifiers=[["severity", "severe"]])
    assert (
        SEVERITIES[severity_target(decoded(answer("x", True, modifiers=[["severity", "mild"]]), negative))]
        == "mild"
    )


def test_worst_severity_of_nothing():
    assert worst_severity([]) == -1


def test_bits_follow_the_order_of_the_findings():
    target = category_target(
        find_question_type("B01_describe_all"), decoded(answer("x", True, obs_entities=["atelectasis"])), None
    )
    assert target.bits == 1 << FINDING_INDEX["Atelectasis"]
