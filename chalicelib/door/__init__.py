"""The door: reads any archive in one pass, and says how it will run or why it will not, with the fix."""

from chalicelib.door.inspection import (
    DoorRules,
    Inspection,
    code_problem,
    examine,
    examine_alone,
    inspect,
    refuse_name,
)

__all__ = ["DoorRules", "Inspection", "code_problem", "examine", "examine_alone", "inspect", "refuse_name"]
