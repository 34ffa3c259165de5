{{ lines_of_summary('aws', aws_daily_summary_grain(), aws_daily_summary_sums(), ['tag_collisions']) }}
