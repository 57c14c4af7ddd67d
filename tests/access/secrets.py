"""Words that only some may read: each is random, so that a hit in any output is a leak and never a coincidence."""

from dataclasses import dataclass, field
from secrets import token_hex


@dataclass(frozen=True)
class Secret:
    """A marker inside a text, what text that is, and the row of the matrix whose 200s name its readers.

    `also` are roles that know it for another reason, such as having written it. Names and numbers, `is_name`, are
    repeated by the product where their readers look: in notices to them, in the audit log.
    """

    marker: str
    what: str
    row: str
    also: frozenset[str] = frozenset()
    is_name: bool = False


@dataclass
class Secrets:
    """All the secrets of a scene."""

    kept: list[Secret] = field(default_factory=list)

    def of(self, row: str, what: str, *, also: tuple[str, ...] = (), is_name: bool = False) -> str:
        """A text that only those may read who get 200 from `row`."""
        marker = f"zq{token_hex(8)}"
        self.kept.append(Secret(marker, what, row, frozenset(also), is_name))
        return f"机密{marker}"

    def keep(self, marker: str, row: str, what: str, *, also: tuple[str, ...] = ()) -> None:
        """Count a word that the product made, such as an invoice's number, among the secrets."""
        self.kept.append(Secret(marker, what, row, frozenset(also), is_name=True))
