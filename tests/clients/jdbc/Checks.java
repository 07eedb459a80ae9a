import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.URI;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.UUID;

/** What programs and DBeaver do with the official JDBC driver. One argument: http://USER:PASSWORD@HOST:PORT/DATABASE. */
public class Checks {
    interface Check {
        void run(Connection connection) throws Exception;
    }

    static final Map<String, Check> CHECKS = new LinkedHashMap<>();
    static final String TABLE = "jdbc_" + System.nanoTime();
    static String url, database;
    static Properties properties = new Properties();

    static void same(Object got, Object want) {
        if (!Objects.equals(got, want)) {
            throw new AssertionError("got " + got + ", not " + want);
        }
    }

    static void holds(boolean what, String otherwise) {
        if (!what) {
            throw new AssertionError(otherwise);
        }
    }

    static ResultSet one(Connection connection, String query) throws SQLException {
        ResultSet rows = connection.createStatement().executeQuery(query);
        holds(rows.next(), "no row");
        return rows;
    }

    static void value(String name, String expression, Class<?> type, Object want) {
        CHECKS.put(name, connection -> same(one(connection, "SELECT " + expression).getObject(1, type), want));
    }

    static List<String> column(ResultSet rows, String name) throws SQLException {
        List<String> values = new ArrayList<>();
        while (rows.next()) {
            values.add(rows.getString(name));
        }
        return values;
    }

    static void refused(Connection connection, String query, int code) throws SQLException {
        try {
            connection.createStatement().execute(query);
        } catch (SQLException error) {
            same(error.getErrorCode(), code);
            return;
        }
        throw new AssertionError("no error");
    }

    static {
        CHECKS.put("select 1", c -> same(one(c, "SELECT 1").getInt(1), 1));
        CHECKS.put("is valid", c -> holds(c.isValid(5), "not valid"));
        value("Int8", "toInt8(-128)", Byte.class, (byte) -128);
        value("Int32", "toInt32(-2147483648)", Integer.class, Integer.MIN_VALUE);
        value("Int64", "toInt64(-9223372036854775808)", Long.class, Long.MIN_VALUE);
        value("UInt64", "18446744073709551615", BigInteger.class, new BigInteger("18446744073709551615"));
        value("UInt256", "bitShiftLeft(toUInt256(1), 255)", BigInteger.class, BigInteger.ONE.shiftLeft(255));
        value("Float64", "1.5", Double.class, 1.5);
        value("Decimal", "toDecimal128('12345678901234.12345', 5)", BigDecimal.class, new BigDecimal("12345678901234.12345"));
        value("Bool", "true", Boolean.class, true);
        value("String", "'ä\\n'", String.class, "ä\n");
        value("UUID", "toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')", UUID.class, UUID.fromString("61f0c404-5cb3-11e7-907b-a6006ad3dba0"));
        value("Date", "toDate('2024-01-15')", LocalDate.class, LocalDate.of(2024, 1, 15));
        value("Date32", "toDate32('1900-01-01')", LocalDate.class, LocalDate.of(1900, 1, 1));
        value("DateTime64", "toDateTime64('2024-01-15 10:30:00.123456', 6, 'UTC')", LocalDateTime.class, LocalDateTime.of(2024, 1, 15, 10, 30, 0, 123_456_000));
        value("Enum8", "CAST('b', 'Enum8(\\'a\\' = 1, \\'b\\' = 2)')", String.class, "b");
        value("LowCardinality", "toLowCardinality('x')", String.class, "x");
        value("FixedString", "toFixedString('abc', 3)", String.class, "abc");
        CHECKS.put("null", c -> {
            ResultSet rows = one(c, "SELECT CAST(NULL, 'Nullable(Int32)')");
            same(rows.getInt(1), 0);
            holds(rows.wasNull(), "not null");
        });
        CHECKS.put("array", c -> same(Arrays.toString((Object[]) one(c, "SELECT CAST([1, 2], 'Array(Int32)')").getArray(1).getArray()), "[1, 2]"));
        CHECKS.put("map", c -> same(String.valueOf(one(c, "SELECT map('a', 1)").getObject(1)), "{a=1}"));
        CHECKS.put("names and types of a result", c -> {
            ResultSetMetaData data = one(c, "SELECT toInt32(1) AS a, 'x' AS b, now64(3) AS d").getMetaData();
            same(List.of(data.getColumnCount(), data.getColumnLabel(1), data.getColumnType(1), data.getColumnType(2), data.getColumnType(3)),
                List.of(3, "a", Types.INTEGER, Types.VARCHAR, Types.TIMESTAMP));
        });
        CHECKS.put("100,000 rows", c -> {
            ResultSet rows = c.createStatement().executeQuery("SELECT number, toString(number) FROM numbers(100000)");
            long sum = 0;
            while (rows.next()) {
                sum += rows.getLong(1) - Long.parseLong(rows.getString(2)) + 1;
            }
            same(sum, 100_000L);
        });
        CHECKS.put("max rows", c -> {
            Statement statement = c.createStatement();
            statement.setMaxRows(5);
            int count = 0;
            for (ResultSet rows = statement.executeQuery("SELECT number FROM numbers(100)"); rows.next();) {
                count++;
            }
            same(count, 5);
        });
        CHECKS.put("create a table", c -> c.createStatement().execute("CREATE TABLE " + TABLE
            + " (id UInt64, name String, at DateTime64(3), tags Array(String), price Nullable(Decimal(9, 2))) ENGINE = MergeTree PRIMARY KEY id ORDER BY id COMMENT 'of the checks'"));
        CHECKS.put("insert", c -> c.createStatement().executeUpdate("INSERT INTO " + TABLE + " VALUES (1, 'one', '2024-01-15 10:30:00', ['a'], 1.5)"));
        CHECKS.put("prepared insert", c -> {
            try (PreparedStatement statement = c.prepareStatement("INSERT INTO " + TABLE + " (id, name, at, tags, price) VALUES (?, ?, ?, ?, ?)")) {
                statement.setLong(1, 2);
                statement.setString(2, "it's two");
                statement.setTimestamp(3, Timestamp.valueOf("2024-01-15 10:30:00"));
                statement.setArray(4, c.createArrayOf("String", new Object[] {"a", "b"}));
                statement.setBigDecimal(5, new BigDecimal("2.50"));
                statement.executeUpdate();
            }
            same(one(c, "SELECT name FROM " + TABLE + " WHERE id = 2").getString(1), "it's two");
        });
        CHECKS.put("a batch of 1,000", c -> {
            try (PreparedStatement statement = c.prepareStatement("INSERT INTO " + TABLE + " (id, name) VALUES (?, ?)")) {
                for (int id = 1000; id < 2000; id++) {
                    statement.setInt(1, id);
                    statement.setString(2, "name " + id);
                    statement.addBatch();
                }
                same(statement.executeBatch().length, 1000);
            }
            same(one(c, "SELECT count() FROM " + TABLE + " WHERE id >= 1000").getInt(1), 1000);
        });
        CHECKS.put("a null in an insert", c -> {
            try (PreparedStatement statement = c.prepareStatement("INSERT INTO " + TABLE + " (id, price) VALUES (?, ?)")) {
                statement.setLong(1, 3);
                statement.setNull(2, Types.DECIMAL);
                statement.executeUpdate();
            }
            holds(one(c, "SELECT price FROM " + TABLE + " WHERE id = 3").getObject(1) == null, "not null");
        });
        CHECKS.put("prepared query", c -> {
            try (PreparedStatement statement = c.prepareStatement("SELECT count() FROM " + TABLE + " WHERE id IN (?, ?) AND name != ?")) {
                statement.setLong(1, 1);
                statement.setLong(2, 2);
                statement.setString(3, "a 'quoted' ? name");
                ResultSet rows = statement.executeQuery();
                rows.next();
                same(rows.getInt(1), 2);
            }
        });
        CHECKS.put("dates as parameters", c -> {
            try (PreparedStatement statement = c.prepareStatement("SELECT toDate(?)")) {
                statement.setDate(1, Date.valueOf("2024-01-15"));
                ResultSet rows = statement.executeQuery();
                rows.next();
                same(rows.getObject(1, LocalDate.class), LocalDate.of(2024, 1, 15));
            }
        });
        CHECKS.put("catalogs or schemas", c -> holds(column(c.getMetaData().getSchemas(), "TABLE_SCHEM").contains(database), "the database is not among them"));
        CHECKS.put("tables", c -> holds(column(c.getMetaData().getTables(null, database, TABLE, null), "TABLE_NAME").contains(TABLE), "the table is not among them"));
        CHECKS.put("table types", c -> holds(c.getMetaData().getTableTypes().next(), "none"));
        CHECKS.put("columns", c -> same(column(c.getMetaData().getColumns(null, database, TABLE, "%"), "COLUMN_NAME"), List.of("id", "name", "at", "tags", "price")));
        CHECKS.put("primary keys", c -> same(column(c.getMetaData().getPrimaryKeys(null, database, TABLE), "COLUMN_NAME"), List.of("id")));
        CHECKS.put("indexes", c -> c.getMetaData().getIndexInfo(null, database, TABLE, false, false).next());
        CHECKS.put("type info", c -> holds(column(c.getMetaData().getTypeInfo(), "TYPE_NAME").contains("UInt64"), "no UInt64"));
        CHECKS.put("functions", c -> holds(c.getMetaData().getFunctions(null, null, "%").next(), "none"));
        CHECKS.put("version", c -> {
            DatabaseMetaData data = c.getMetaData();
            holds(data.getDatabaseMajorVersion() > 20 && data.getDatabaseProductName().equals("ClickHouse"), data.getDatabaseProductVersion());
        });
        CHECKS.put("a syntax error", c -> refused(c, "SELEC 1", 62));
        CHECKS.put("an unknown table", c -> refused(c, "SELECT * FROM nothing_of_that_name", 60));
        CHECKS.put("an error in the middle", c -> {
            try (ResultSet rows = c.createStatement().executeQuery("SELECT throwIf(number = 3000000) FROM numbers(10000000)")) {
                while (rows.next()) {
                    rows.getInt(1);
                }
            } catch (SQLException error) {
                return;
            }
            throw new AssertionError("no error");
        });
        CHECKS.put("a wrong password", c -> {
            Properties wrong = new Properties();
            wrong.setProperty("user", properties.getProperty("user"));
            wrong.setProperty("password", "wrong");
            try (Connection other = DriverManager.getConnection(url, wrong)) {
                other.createStatement().executeQuery("SELECT 1");
            } catch (SQLException error) {
                same(error.getErrorCode(), 516);
                return;
            }
            throw new AssertionError("let in");
        });
        CHECKS.put("a time-out", c -> {
            Properties more = (Properties) properties.clone();
            more.setProperty("clickhouse_setting_max_execution_time", "1");
            try (Connection other = DriverManager.getConnection(url, more);
                ResultSet rows = other.createStatement().executeQuery("SELECT sleepEachRow(1) FROM numbers(4) SETTINGS max_block_size = 1")) {
                while (rows.next()) {
                    rows.getInt(1);
                }
            } catch (SQLException error) {
                return;
            }
            throw new AssertionError("no error");
        });
        CHECKS.put("a cancel that cancels", c -> {
            Statement statement = c.createStatement();
            Thread other = new Thread(() -> {
                try {
                    Thread.sleep(700);
                    statement.cancel();
                } catch (InterruptedException | SQLException error) {
                    System.out.println("cancel: " + error);
                }
            });
            long started = System.nanoTime();
            other.start();
            try (ResultSet rows = statement.executeQuery("SELECT sleepEachRow(0.1) FROM numbers(100) SETTINGS max_block_size = 1")) {
                while (rows.next()) {
                    rows.getInt(1);
                }
            } catch (SQLException error) {
                other.join();
                holds(System.nanoTime() - started < 4_000_000_000L, "only after " + (System.nanoTime() - started) / 1_000_000 + " ms");
                same(one(c, "SELECT count() FROM system.processes WHERE query LIKE '%sleepEachRow(0.1)%' AND query NOT LIKE '%system.processes%'").getInt(1), 0);
                return;
            }
            throw new AssertionError("not cancelled");
        });
        CHECKS.put("settings of a connection", c -> {
            Properties more = (Properties) properties.clone();
            more.setProperty("clickhouse_setting_max_block_size", "3");
            try (Connection other = DriverManager.getConnection(url, more)) {
                same(one(other, "SELECT max(blockSize()) FROM numbers(10)").getInt(1), 3);
            }
        });
        CHECKS.put("a temporary table", c -> {
            Properties more = (Properties) properties.clone();
            more.setProperty("clickhouse_setting_session_id", TABLE);
            try (Connection other = DriverManager.getConnection(url, more)) {
                other.createStatement().execute("CREATE TEMPORARY TABLE mine AS SELECT 7 AS x");
                same(one(other, "SELECT x FROM mine").getInt(1), 7);
            }
        });
        CHECKS.put("drop the table", c -> c.createStatement().execute("DROP TABLE " + TABLE));
    }

    public static void main(String[] arguments) throws Exception {
        URI server = URI.create(arguments[0]);
        String[] login = server.getUserInfo().split(":", 2);
        database = server.getPath().substring(1);
        url = "jdbc:clickhouse://" + server.getHost() + ":" + server.getPort() + "/" + database;
        properties.setProperty("user", login[0]);
        properties.setProperty("password", login.length > 1 ? login[1] : "");
        int passed = 0;
        int failed = 0;
        try (Connection connection = DriverManager.getConnection(url, properties)) {
            for (Map.Entry<String, Check> check : CHECKS.entrySet()) {
                try {
                    check.getValue().run(connection);
                    passed++;
                } catch (Exception | AssertionError error) {
                    failed++;
                    System.out.println("FAILED " + check.getKey() + ": " + String.valueOf(error).split("\n")[0]);
                }
            }
        }
        System.out.println(passed + " passed, " + failed + " failed");
        System.exit(failed > 0 ? 1 : 0);
    }
}
