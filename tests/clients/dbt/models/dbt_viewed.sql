{{ config(materialized='view') }}
select count() as people from {{ ref('dbt_names') }}
