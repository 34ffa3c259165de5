{#-
  What AWS's rules may move and what not: a line of no commitment amortises to what it is billed, fees and what Savings Plans take
  back to nothing of their own; refunds and fees that AWS does not spread are judged by the rules alone.
-#}
{% test amortisation_adds_up(model) %}
select * from {{ model }}
where
    x_bill_kind = 'aws'
    and (
        (
            commitment_discount_id is null
            and coalesce(x_line_item_type, '') not in (
                'Refund', 'RIFee', 'DiscountedUsage', 'SavingsPlanCoveredUsage', 'SavingsPlanRecurringFee',
                'SavingsPlanNegation', 'SavingsPlanUpfrontFee'
            )
            and (x_amortized_cost <> billed_cost or effective_cost <> x_net_unblended_cost)
        )
        or (
            x_line_item_type in ('SavingsPlanNegation', 'SavingsPlanUpfrontFee')
            and (x_amortized_cost <> 0 or effective_cost <> 0)
        )
    )
{% endtest %}
