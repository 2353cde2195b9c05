"""engine.py spark|clickhouse|duckdb|pyarrow: runs SQL for the tests. A line of standard input is {"parse": SQL}, {"exec": SQL} or
{"query": SQL}; the answer is a line, {"rows": [[...]]} or {"error": "..."}. For pyarrow, a query is the path of a file or, a line
each, the path, a column, and a value of which the rows are counted."""
import datetime
import decimal
import hashlib
import json
import sys


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return int(value) if value == int(value) else float(value)
    return value


def spark(folder):
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.memory", "1g")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.files.openCostInBytes", "0")  # a task reads many small files
        .config("spark.sql.warehouse.dir", folder + "/warehouse")
        .config("spark.hadoop.javax.jdo.option.ConnectionURL", "jdbc:derby:;databaseName=" + folder + "/metastore;create=true")
        .enableHiveSupport()
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    parser = session._jsparkSession.sessionState().sqlParser()

    def run(kind, sql):
        if kind == "parse":
            parser.parsePlan(sql)
            return []
        rows = session.sql(sql).collect()
        return [[plain(v) for v in row] for row in rows] if kind == "query" else []

    return "spark " + session.version, run


def clickhouse(folder):
    from chdb import session as sessions

    session = sessions.Session(folder + "/chdb")

    def run(kind, sql):
        if kind == "exec":
            session.query(sql)
            return []
        text = str(session.query(sql, "JSONCompact"))
        answer = json.loads(text) if text else {"data": [], "meta": []}
        whole = [column["type"].removeprefix("Nullable(").startswith(("UInt", "Int")) for column in answer["meta"]]
        return [[int(v) if n and v is not None else v for v, n in zip(row, whole)] for row in answer["data"]]

    return "clickhouse " + str(session.query("SELECT version()")).strip().strip('"'), run


def duckdb(folder):
    import duckdb as duck

    session = duck.connect(folder + "/duckdb", config={"autoinstall_known_extensions": False})
    session.execute("SET enable_progress_bar = false")  # it would print into the answers
    session.execute("SET TimeZone = 'UTC'")

    def run(kind, sql):
        answer = session.execute(sql)
        if kind != "query":
            return []
        table = answer.to_arrow_table()  # rows of Python's own would need pytz for an instant
        return [[plain(v) for v in row] for row in zip(*(column.to_pylist() for column in table.columns))]

    return "duckdb " + duck.__version__, run


def pyarrow(folder):
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    numbers = ("id", "created_at", "created_at_us")

    def digest(value):
        return None if value is None else hashlib.md5(value).hexdigest()

    def run(kind, text):
        path, *condition = text.split("\n")
        if condition:
            return [[parquet.read_table(path, filters=[(condition[0], "=", condition[1])]).num_rows]]
        table = parquet.ParquetFile(path).read()
        columns = [table[name].cast(arrow.int64()).to_pylist() for name in numbers]
        columns += [
            [digest(value) for value in table[name].cast(arrow.large_binary()).to_pylist()]
            for name in table.column_names
            if name not in numbers
        ]
        return [list(row) for row in zip(*columns)]

    return "pyarrow " + arrow.__version__, run


name, run = {"spark": spark, "clickhouse": clickhouse, "duckdb": duckdb, "pyarrow": pyarrow}[sys.argv[1]](sys.argv[2])
print(json.dumps({"rows": [[name]]}), flush=True)
for line in sys.stdin:
    (kind, sql), = json.loads(line).items()
    try:
        answer = {"rows": run(kind, sql)}
    except Exception as error:  # the test shows it
        answer = {"error": str(error)[:2000]}
    print(json.dumps(answer), flush=True)
