"""Money: whole minor units beside a currency; never a float, never two currencies in one sum."""

from dataclasses import dataclass

from circle.kernel.errors import Invalid

# ISO 4217 codes that circles may be priced in, with the number of minor digits.
CURRENCIES: dict[str, int] = {"CNY": 2, "HKD": 2, "TWD": 2, "USD": 2, "EUR": 2, "GBP": 2, "JPY": 0, "SGD": 2}

# One hundred million in minor units: far above any membership, far below 2^63.
MAX_AMOUNT = 10_000_000_000

BASIS_POINTS = 10_000


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount in minor units (fen, cents) of one currency. Errors: ValueError."""

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if self.currency not in CURRENCIES:
            raise ValueError(f"unknown currency {self.currency!r}")
        if type(self.amount) is not int:
            raise TypeError("amounts are whole minor units")

    def __add__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.amount - other.amount, self.currency)

    def _same(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise ValueError(f"{self.currency} and {other.currency} don't add up")

    def __str__(self) -> str:
        digits = CURRENCIES[self.currency]
        if not digits:
            return f"{self.currency} {self.amount}"
        sign, whole = ("-" if self.amount < 0 else ""), abs(self.amount)
        return f"{self.currency} {sign}{whole // 10**digits}.{whole % 10**digits:0{digits}d}"


def share(amount: int, numerator: int, denominator: int) -> int:
    """Return `amount × numerator / denominator`, half away from zero, in minor units."""
    if denominator <= 0:
        raise ValueError("the denominator must be positive")
    product = amount * numerator
    sign = -1 if product < 0 else 1
    return sign * ((2 * abs(product) + denominator) // (2 * denominator))


def require_amount(amount: int, *, field: str = "amount", minimum: int = 1) -> int:
    """Return `amount` if it may be asked of a person; Invalid otherwise."""
    if not minimum <= amount <= MAX_AMOUNT:
        raise Invalid.field(
            field,
            "out_of_range",
            f"金额须在 {minimum} 到 {MAX_AMOUNT} 之间（最小货币单位）。",
            f"The amount must be between {minimum} and {MAX_AMOUNT} minor units.",
        )
    return amount
