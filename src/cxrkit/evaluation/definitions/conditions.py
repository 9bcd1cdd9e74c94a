"""What the model was shown, or what took its place."""

CONDITIONS: dict[str, str] = {
    "model": "the model with film and question",
    "predicted": "the model with the scene graph that it predicts from the film",
    "anatomy": "the same model with the data set's region boxes, and no findings, as its graph",
    "oracle": "the same model with the data set's own scene graph: an upper bound that leaks the answer",
    "none": "the same model without a graph; one trained without may do better",
    "blank_image": "the same model with an empty film in place of the film",
    "shuffled_image": "the same model with the film of another patient in place of the film",
    "question_only": "the answer shares of the very question text in the training split; sees no film",
    "majority": "the answer shares of the question type, or of the label, in the training split",
}
