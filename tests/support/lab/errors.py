"""What can go wrong in the lab, as messages for a person."""


class LabError(Exception):
    """Something that the user is told in one paragraph, without a traceback.

    `logs` names the log files whose ends explain it.
    """

    def __init__(self, message: str, logs: list[str] | None = None):
        super().__init__(message)
        self.logs = logs or []
