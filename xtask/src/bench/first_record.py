"""Writes the moment at which a Python function sees its first record."""

import sys
import time

from pyflink.table import DataTypes, EnvironmentSettings, TableEnvironment
from pyflink.table.udf import udf

tables = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
seen_at = udf(lambda number: repr(time.time()), result_type=DataTypes.STRING(), deterministic=False)
tables.create_temporary_function("seen_at", seen_at)
tables.execute_sql(
    "CREATE TABLE moments (seen STRING) WITH "
    f"('connector' = 'filesystem', 'path' = '{sys.argv[1]}', 'format' = 'raw')"
)
tables.execute_sql("INSERT INTO moments SELECT seen_at(x) FROM (VALUES (1), (2)) AS t(x)").wait()
