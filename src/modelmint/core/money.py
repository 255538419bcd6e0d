"""Money is a Decimal and a currency; nothing here is ever a float."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from modelmint.core.errors import InputError

# ISO 4217 minor units of the currencies that a price may be given in.
MINOR_UNITS = {
    "USD": 2,
    "EUR": 2,
    "GBP": 2,
    "CNY": 2,
    "HKD": 2,
    "SGD": 2,
    "CHF": 2,
    "CAD": 2,
    "AUD": 2,
    "INR": 2,
    "JPY": 0,
    "KRW": 0,
}
CENT_OF_A_CENT = Decimal("0.0001")


@dataclass(frozen=True, kw_only=True, slots=True)
class Money:
    """An exact amount of one currency."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise InputError(f"currency: cannot add {other.currency} to {self.currency}", parameter="currency")
        return Money(amount=self.amount + other.amount, currency=self.currency)

    def times(self, count: int | Decimal) -> "Money":
        return Money(amount=self.amount * count, currency=self.currency)

    def rounded(self) -> "Money":
        """To the currency's minor unit, half up: how an invoice line is stated."""
        quantum = Decimal(1).scaleb(-MINOR_UNITS[self.currency])
        return Money(amount=self.amount.quantize(quantum, ROUND_HALF_UP), currency=self.currency)


def machine_cost(seconds: float, machine_hour: str) -> Money:
    """What so many seconds cost of a machine that costs `machine_hour` an hour, to a hundredth of a cent."""
    hour = money(machine_hour)
    amount = hour.amount * Decimal(str(round(seconds, 1))) / 3600
    return Money(amount=amount.quantize(CENT_OF_A_CENT), currency=hour.currency)


def money(text: str) -> Money:
    """Read ``"0.50 USD"``.

    Raises:
        InputError: the amount is no decimal number >= 0 or the currency is not one of `MINOR_UNITS`.
    """
    amount, _, currency = text.strip().partition(" ")
    try:
        value = Decimal(amount)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0 or currency not in MINOR_UNITS:
        raise InputError(
            f"price: must be an amount >= 0 and a currency of {', '.join(sorted(MINOR_UNITS))}; got {text!r}",
            parameter="price",
            remedy='Write it like "0.50 USD".',
        )
    return Money(amount=value, currency=currency)
