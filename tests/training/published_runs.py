"""What the tests of publishing share."""

NAME = "me/model"
SHORT = {"training.max_steps": 2, "data.max_samples": 8}


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def tries(hub):
    return hub.requests.count(("POST", "/api/repos/create"))
