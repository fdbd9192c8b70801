"""Counts the words of text files: a Table API batch job with a Python function in it.

    word_count.py --input gs://bucket/input/ --output gs://bucket/output/
"""

import argparse

from pyflink.table import DataTypes, EnvironmentSettings, TableEnvironment
from pyflink.table.expressions import col, lit
from pyflink.table.udf import udtf


@udtf(result_types=[DataTypes.STRING()])
def words(line):
    """Splits a line into its words, in lower case and without punctuation."""
    for part in line.split():
        word = part.strip("`*_#|()[]{}<>.,:;!?\"'=-").lower()
        if word.isalpha():
            yield word


def main():
    parser = argparse.ArgumentParser(description="Counts words.")
    parser.add_argument("--input", required=True, help="folder of text files")
    parser.add_argument("--output", required=True, help="folder for the counts")
    parser.add_argument("--at-least", type=int, default=1, help="leave out rarer words")
    arguments = parser.parse_args()

    environment = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
    environment.execute_sql(f"""
        CREATE TABLE lines (line STRING) WITH (
            'connector' = 'filesystem',
            'path' = '{arguments.input}',
            'format' = 'raw'
        )""")
    environment.execute_sql(f"""
        CREATE TABLE counts (word STRING, number BIGINT) WITH (
            'connector' = 'filesystem',
            'path' = '{arguments.output}',
            'format' = 'csv'
        )""")
    counted = (
        environment.from_path("lines")
        .join_lateral(words(col("line")).alias("word"))
        .group_by(col("word"))
        .select(col("word"), lit(1).count.alias("number"))
        .where(col("number") >= arguments.at_least)
        .order_by(col("number").desc, col("word"))
    )
    counted.execute_insert("counts").wait()


if __name__ == "__main__":
    main()
