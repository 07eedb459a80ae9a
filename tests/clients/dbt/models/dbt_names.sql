{{ config(materialized='table', engine='MergeTree()', order_by='id') }}
select id, upper(name) as name from {{ ref('dbt_people') }}
