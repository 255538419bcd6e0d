"""The fault of one file or row that cannot be used. It never leaves the readers: it becomes a row of the quarantine."""


class UnreadableError(Exception):
    """`reason` is one short machine word, `detail` is for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
