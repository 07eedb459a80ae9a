{{ config(materialized='incremental', engine='MergeTree()', order_by='id', unique_key='id') }}
select id, name from {{ ref('dbt_names') }}
