"""What people are told of a budget: amounts that can be told apart."""

from decimal import Decimal

import pytest

from pipeline.admission.budget import Alert


@pytest.mark.parametrize(
    ("tenant", "spent", "most", "told"),
    [
        (None, "0.0041", "0.005", "$0.0041 of budget.max_usd = $0.005 are spent"),
        (None, "4.123", "5.00", "$4.12 of budget.max_usd = $5.00 are spent"),
        (None, "8E-8", "1E-7", "$0.00000008 of budget.max_usd = $0.0000001 are spent"),
        (
            "t",
            "0.00000123",
            "0.0000015",
            "tenant 't' has spent $0.0000012 of budget.tenant_max_usd_per_day = $0.0000015",
        ),
    ],
)
def test_a_small_budget_is_told_in_its_own_digits(tenant, spent, most, told):
    assert str(Alert(tenant, Decimal(spent), Decimal(most))).startswith(told)
