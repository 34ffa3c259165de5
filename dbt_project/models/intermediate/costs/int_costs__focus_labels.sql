-- Tags and cost categories as FOCUS writes them. Few sets of labels serve many lines: each set is put in order once, and found by
-- its text.
with texts as (
    {{ label_texts() }}
),

sets as (
    select label_text from texts
    union
    -- Of a row that stands for several lines.
    select '{}' as label_text
),

ordered as (
    select
        label_text,
        {{ text_to_json('label_text') }} as labels
    from sets
    where label_text is not null
),

-- Tags of users stand without AWS's prefix, those of providers with it.
final as (
    select
        label_text,
        labels,
        {{ regexp_replace_all('labels', '([{,])"user[:_]', '{1}"') }} as labels_without_prefix
    from ordered
)

select * from final
