"""What a check of the contract found."""

from __future__ import annotations

from dataclasses import dataclass

#: Checks whose words are a remark: they break nothing.
NOT_TRIED, SPEED, RESUMES = "not tried", "Speed", "A killed run goes on where it was"


@dataclass(frozen=True)
class Outcome:
    """What a check found; `told` is empty where all is well. of: what it was tried on."""

    of: str
    check: str
    told: str = ""
    line: int | None = None

    @property
    def broken(self) -> bool:
        return bool(self.told) and self.check not in (NOT_TRIED, SPEED, RESUMES)

    @property
    def cause(self) -> str:
        return (f"line {self.line}: " if self.line else "") + self.told
