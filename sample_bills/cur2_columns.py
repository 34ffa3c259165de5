"""The columns of CUR 2.0 by Data Exports: a fixed list, with maps for what comes and goes, made from a legacy row's cells."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sample_bills.columns import INDEX, Kind, kind_of, snake_case

MAPS = {"product": "product", "resourceTags": "resource_tags", "costCategory": "cost_category", "discount": "discount"}
DISCOUNT_MAP = "discount"  # the only one whose values are numbers


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# AWS, Data Exports user guide, "Cost and Usage Report 2.0": what is in every export of all columns.
COLUMNS = _names(
    """
    bill_bill_type bill_billing_entity bill_billing_period_end_date bill_billing_period_start_date bill_invoice_id
    bill_invoicing_entity bill_payer_account_id bill_payer_account_name cost_category discount discount_bundled_discount
    discount_total_discount identity_line_item_id identity_time_interval line_item_availability_zone line_item_blended_cost
    line_item_blended_rate line_item_currency_code line_item_legal_entity line_item_line_item_description
    line_item_line_item_type line_item_net_unblended_cost line_item_net_unblended_rate line_item_normalization_factor
    line_item_normalized_usage_amount line_item_operation line_item_product_code line_item_resource_id line_item_tax_type
    line_item_unblended_cost line_item_unblended_rate line_item_usage_account_id line_item_usage_account_name
    line_item_usage_amount line_item_usage_end_date line_item_usage_start_date line_item_usage_type pricing_currency
    pricing_lease_contract_length pricing_offering_class pricing_public_on_demand_cost pricing_public_on_demand_rate
    pricing_purchase_option pricing_rate_code pricing_rate_id pricing_term pricing_unit product product_comment
    product_fee_code product_fee_description product_from_location product_from_location_type product_from_region_code
    product_instance_family product_instance_type product_instancesku product_location product_location_type
    product_operation product_pricing_unit product_product_family product_region_code product_servicecode product_sku
    product_to_location product_to_location_type product_to_region_code product_usagetype
    reservation_amortized_upfront_cost_for_usage reservation_amortized_upfront_fee_for_billing_period
    reservation_availability_zone reservation_effective_cost reservation_end_time reservation_modification_status
    reservation_net_amortized_upfront_cost_for_usage reservation_net_amortized_upfront_fee_for_billing_period
    reservation_net_effective_cost reservation_net_recurring_fee_for_usage
    reservation_net_unused_amortized_upfront_fee_for_billing_period reservation_net_unused_recurring_fee
    reservation_net_upfront_value reservation_normalized_units_per_reservation reservation_number_of_reservations
    reservation_recurring_fee_for_usage reservation_reservation_a_r_n reservation_start_time reservation_subscription_id
    reservation_total_reserved_normalized_units reservation_total_reserved_units reservation_units_per_reservation
    reservation_unused_amortized_upfront_fee_for_billing_period reservation_unused_normalized_unit_quantity
    reservation_unused_quantity reservation_unused_recurring_fee reservation_upfront_value resource_tags
    savings_plan_amortized_upfront_commitment_for_billing_period savings_plan_end_time savings_plan_instance_type_family
    savings_plan_net_amortized_upfront_commitment_for_billing_period
    savings_plan_net_recurring_commitment_for_billing_period savings_plan_net_savings_plan_effective_cost
    savings_plan_offering_type savings_plan_payment_option savings_plan_purchase_term
    savings_plan_recurring_commitment_for_billing_period savings_plan_region savings_plan_savings_plan_a_r_n
    savings_plan_savings_plan_effective_cost savings_plan_savings_plan_rate savings_plan_start_time
    savings_plan_total_commitment_to_date savings_plan_used_commitment
    """
)
# With INCLUDE_SPLIT_COST_ALLOCATION_DATA.
SPLIT_COLUMNS = _names(
    """
    split_line_item_actual_usage split_line_item_net_split_cost split_line_item_net_unused_cost
    split_line_item_parent_resource_id split_line_item_public_on_demand_split_cost
    split_line_item_public_on_demand_unused_cost split_line_item_reserved_usage split_line_item_split_cost
    split_line_item_split_usage split_line_item_split_usage_ratio split_line_item_unused_cost
    """
)


def map_key(column: str) -> str:
    """The key in a map of CUR 2.0 that a legacy column (slash spelling) becomes: ``user_cost_center``."""
    return snake_case(column.split("/", 1)[1])


@dataclass(frozen=True)
class Shape:
    """How the legacy columns of one delivery become CUR 2.0's.

    ``cells`` are, for each written column, the positions in a generated row whose first text is its value; ``maps`` the
    positions of each key. A column of neither is there and empty.
    """

    names: tuple[str, ...]
    cells: dict[str, int]
    maps: dict[str, dict[str, list[int]]]

    @classmethod
    def of(cls, columns: Sequence[str], split_costs: bool, left_out: Sequence[str] = ()) -> Shape:
        """The shape of an export that holds the legacy ``columns``; ``left_out`` are names that its query does not select."""
        offered = COLUMNS + (SPLIT_COLUMNS if split_costs else ())
        names = tuple(name for name in offered if name not in left_out)
        cells: dict[str, int] = {}
        maps: dict[str, dict[str, list[int]]] = {name: {} for name in MAPS.values() if name in names}
        for column in columns:
            name, category = snake_case(column), column.split("/", 1)[0]
            if name in offered:
                cells.setdefault(name, INDEX[column])
            elif MAPS.get(category) in maps:
                # Names that differ by case only are one key.
                maps[MAPS[category]].setdefault(map_key(column), []).append(INDEX[column])
        return cls(names, cells, maps)

    def kind(self, name: str) -> Kind:
        """What a column that is no map holds."""
        return KINDS.get(name, Kind.TEXT)

    def written(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Those of the legacy ``columns`` whose values are in columns of their own here."""
        return tuple(column for column in columns if snake_case(column) in self.cells and snake_case(column) in self.names)

    def entries(self, name: str) -> Callable[[list[str]], list[tuple[str, str]]]:
        """The entries of a row's map: a key that has no value is not there."""
        keys = sorted(self.maps[name].items())

        def entries(row: list[str]) -> list[tuple[str, str]]:
            found = []
            for key, positions in keys:
                text = next((row[position] for position in positions if row[position]), "")
                if text:
                    found.append((key, text))
            return found

        return entries


KINDS: dict[str, Kind] = {snake_case(column): kind_of(column) for column in INDEX}


def json_object(entries: Sequence[tuple[str, str]], numbers: bool) -> str:
    """A map as the text that it is in CSV; ``numbers`` are written as they are spelled."""
    pairs = (
        f"{json.dumps(key, ensure_ascii=False)}:{text if numbers else json.dumps(text, ensure_ascii=False)}"
        for key, text in entries
    )
    return "{" + ",".join(pairs) + "}"
