"""Own: what the paper's own numbers say of a claim, by equations between them."""

from typing import Final

from analysis.claims.claim import ClaimTerm, Equation, PaperClaim, Relation
from analysis.claims.decide import ClaimVerdict, Decision

_BY: Final = "equations between the paper's own numbers, each off by what its rounding allows"
# A smaller one says less than the difference does.
_LEAST_FACTOR: Final = 1.02


def decide_own(claim: PaperClaim) -> Decision:
    """Whether what must hold between the paper's numbers does; the first that does not is told."""
    found = [(one, _holds(one)) for one in claim.equations]
    broken = next((one for one, holds in found if holds is False), None)
    open_one = next((one for one, holds in found if holds is None), None)
    chosen = broken or open_one or found[0][0]
    if broken is not None:
        verdict, sentence = ClaimVerdict.CONTRADICTS, f"contradicts itself by {_off(broken)}"
    elif open_one is not None:
        verdict, sentence = (
            ClaimVerdict.CANNOT_TELL,
            f"{_sides(open_one)}: its reading is too coarse",
        )
    else:
        verdict, sentence = ClaimVerdict.AGREES, _sides(chosen)
    low, middle, high = chosen.left.ends
    right_low, _, right_high = chosen.right.ends
    return Decision(
        verdict=verdict,
        sentence=sentence,
        test=_BY,
        parts=len(found),
        tested=sum(holds is not None for _, holds in found),
        runs=0,
        value=middle,
        low=low,
        high=high,
        claimed_low=None if chosen.relation is Relation.AT_MOST else right_low,
        claimed_high=None if chosen.relation is Relation.AT_LEAST else right_high,
        deciding=chosen.left.named,
    )


def _holds(equation: Equation) -> bool | None:
    """None where what rounding and reading allow lies on both sides."""
    low, _, high = equation.left.ends
    right_low, _, right_high = equation.right.ends
    if equation.relation is Relation.EQUAL:
        return low <= right_high and high >= right_low
    if equation.relation is Relation.AT_LEAST:
        low, high, right_low, right_high = right_low, right_high, low, high
    if high <= right_low:
        return True
    return False if low > right_high else None


def _off(equation: Equation) -> str:
    left, right = equation.left.ends[1], equation.right.ends[1]
    unit = _unit(equation)
    factor = ""
    if left > 0 and right > 0:
        ratio = max(left, right) / min(left, right)
        factor = f", a factor of {ratio:.3g}" if ratio > _LEAST_FACTOR else ""
    return f"{abs(left - right):.3g}{unit}{factor}: {_sides(equation)}"


def _sides(equation: Equation) -> str:
    unit = _unit(equation)
    must = "equal" if equation.relation is Relation.EQUAL else f"be {equation.relation}"
    left, right = (_value(term, unit) for term in (equation.left, equation.right))
    return (
        f"{equation.left.named} is {left} and must {must} {equation.right.named}, which is {right}"
    )


def _value(term: ClaimTerm, unit: str) -> str:
    return f"{term.ends[1]:.4g}{unit}"


def _unit(equation: Equation) -> str:
    return f" {equation.unit}" if equation.unit else ""
