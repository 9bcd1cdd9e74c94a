"""What a training will take, before it is begun: updates, hours, memory, disk, shared memory."""

from cxrkit.training.planning.budget import budgeted, within_budget
from cxrkit.training.planning.fitting import fitting_settings
from cxrkit.training.planning.forecast import Forecast, make_forecast
from cxrkit.training.planning.room import Room, find_room
from cxrkit.training.planning.sizes import Sizes, sizes_of
from cxrkit.training.planning.trial import Trial, try_updates

__all__ = [
    "Forecast",
    "Room",
    "Sizes",
    "Trial",
    "budgeted",
    "find_room",
    "fitting_settings",
    "make_forecast",
    "sizes_of",
    "try_updates",
    "within_budget",
]
