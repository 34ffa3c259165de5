{{ lines_of_summary('oci', oci_daily_summary_grain(), oci_daily_summary_sums(), ['voided_line_item_count']) }}
