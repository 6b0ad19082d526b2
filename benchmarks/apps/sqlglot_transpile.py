# requires: sqlglot==27.29.0
"""sqlglot parses a query and writes it for other databases."""

from zlib import crc32

import sqlglot

QUERY = """
WITH recent AS (
  SELECT customer_id, SUM(amount) AS total, COUNT(*) AS n
  FROM orders WHERE placed_at >= DATE_SUB(CURRENT_DATE, INTERVAL 30 DAY) AND status IN ('paid', 'sent')
  GROUP BY customer_id HAVING SUM(amount) > 100
), ranked AS (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY n ORDER BY total DESC) AS place FROM recent AS r
)
SELECT c.name, ranked.total, CASE WHEN place = 1 THEN 'first' WHEN place < 10 THEN 'top' ELSE 'rest' END AS tier
FROM ranked JOIN customers AS c ON c.id = ranked.customer_id LEFT JOIN regions USING (region_id)
WHERE c.name LIKE 'A%' OR NOT c.country IS NULL ORDER BY ranked.total DESC, c.name LIMIT 50
"""


def main():
    out = [
        sqlglot.transpile(QUERY, read="mysql", write=dialect, pretty=True)[0]
        for dialect in ("postgres", "duckdb", "bigquery", "spark")
    ]
    return [(len(text), crc32(text.encode())) for text in out]


if __name__ == "__main__":
    print(main())
