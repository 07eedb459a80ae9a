// What programs, and Grafana's plugin, do with the official Go client over HTTP, under every compression it knows.
//
//	go run . http://USER:PASSWORD@HOST:PORT/DATABASE
package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

type scene struct {
	conn    driver.Conn
	options *clickhouse.Options
	table   string
	ctx     context.Context
}

type row struct {
	ID   uint64    `ch:"id"`
	Name string    `ch:"name"`
	At   time.Time `ch:"at"`
}

func same(got, want any) error {
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("got %v, not %v", got, want)
	}
	return nil
}

// scan reads one row of one column into got's type.
func scan[T any](s scene, want T, query string, args ...any) error {
	var got T
	if err := s.conn.QueryRow(s.ctx, query, args...).Scan(&got); err != nil {
		return err
	}
	return same(got, want)
}

var at = time.Date(2024, 1, 15, 10, 30, 0, 123_000_000, time.UTC)

var checks = []struct {
	name string
	run  func(scene) error
}{
	{"ping", func(s scene) error { return s.conn.Ping(s.ctx) }},
	{"the server's version", func(s scene) error {
		version, err := s.conn.ServerVersion()
		if err == nil && version.Version.Major < 20 {
			err = fmt.Errorf("%v", version)
		}
		return err
	}},
	{"integers", func(s scene) error {
		return scan(s, uint64(18446744073709551615), "SELECT toUInt64(18446744073709551615)")
	}},
	{"128 and 256 bits", func(s scene) error {
		want := new(big.Int).Lsh(big.NewInt(1), 200)
		return scan(s, *want, "SELECT bitShiftLeft(toUInt256(1), 200)")
	}},
	{"strings of any bytes", func(s scene) error { return scan(s, "ä\x00\xff", "SELECT unhex('c3a400ff')") }},
	{"nullable", func(s scene) error { return scan[*string](s, nil, "SELECT CAST(NULL, 'Nullable(String)')") }},
	{"arrays and maps", func(s scene) error {
		if err := scan(s, [][]int32{{1, 2}, {}}, "SELECT CAST([[1, 2], []], 'Array(Array(Int32))')"); err != nil {
			return err
		}
		return scan(s, map[string]uint64{"a": 1}, "SELECT CAST(map('a', 1), 'Map(String, UInt64)')")
	}},
	{"tuples", func(s scene) error {
		return scan(s, map[string]any{"a": uint8(1), "b": "x"}, "SELECT CAST((1, 'x'), 'Tuple(a UInt8, b String)')")
	}},
	{"instants and zones", func(s scene) error {
		var got time.Time
		if err := s.conn.QueryRow(s.ctx, "SELECT toDateTime64('2024-01-15 19:30:00.123', 3, 'Asia/Tokyo')").Scan(&got); err != nil {
			return err
		}
		if zone := got.Location().String(); zone != "Asia/Tokyo" {
			return fmt.Errorf("the zone is %s", zone)
		}
		return same(got.UTC(), at)
	}},
	{"decimal", func(s scene) error {
		var got decimal.Decimal
		if err := s.conn.QueryRow(s.ctx, "SELECT toDecimal128('1234567890.12345', 5)").Scan(&got); err != nil {
			return err
		}
		return same(got.String(), "1234567890.12345")
	}},
	{"UUID and enum", func(s scene) error {
		if err := scan(s, uuid.MustParse("61f0c404-5cb3-11e7-907b-a6006ad3dba0"), "SELECT toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')"); err != nil {
			return err
		}
		return scan(s, "b", "SELECT CAST('b', 'Enum8(''a'' = 1, ''b'' = 2)')")
	}},
	{"low cardinality", func(s scene) error { return scan(s, "x", "SELECT toLowCardinality('x')") }},
	{"bound parameters", func(s scene) error { return scan(s, "it's 5", "SELECT concat(?, ' ', toString(?))", "it's", 5) }},
	{"the server's parameters", func(s scene) error {
		ctx := clickhouse.Context(s.ctx, clickhouse.WithParameters(clickhouse.Parameters{"a": "7", "b": "it's"}))
		var got string
		if err := s.conn.QueryRow(ctx, "SELECT concat(toString({a:UInt8}), {b:String})").Scan(&got); err != nil {
			return err
		}
		return same(got, "7it's")
	}},
	{"settings of a query", func(s scene) error {
		ctx := clickhouse.Context(s.ctx, clickhouse.WithSettings(clickhouse.Settings{"max_block_size": 3}))
		var got uint64
		if err := s.conn.QueryRow(ctx, "SELECT max(blockSize()) FROM numbers(10)").Scan(&got); err != nil {
			return err
		}
		return same(got, uint64(3))
	}},
	{"a table, a batch, and back", func(s scene) error {
		if err := table(s, "MergeTree ORDER BY id"); err != nil {
			return err
		}
		batch, err := s.conn.PrepareBatch(s.ctx, "INSERT INTO "+s.table)
		if err != nil {
			return err
		}
		for id := range uint64(1000) {
			if err := batch.Append(id, fmt.Sprint("name ", id), at); err != nil {
				return err
			}
		}
		if err := batch.Send(); err != nil {
			return err
		}
		var rows []row
		if err := s.conn.Select(s.ctx, &rows, "SELECT id, name, at FROM "+s.table+" WHERE id IN (0, 999) ORDER BY id"); err != nil {
			return err
		}
		for place := range rows {
			rows[place].At = rows[place].At.UTC()
		}
		return same(rows, []row{{0, "name 0", at}, {999, "name 999", at}})
	}},
	{"structs and columns in batches", func(s scene) error {
		if err := table(s, "Memory"); err != nil {
			return err
		}
		batch, err := s.conn.PrepareBatch(s.ctx, "INSERT INTO "+s.table)
		if err != nil {
			return err
		}
		if err := batch.AppendStruct(&row{1, "struct", at}); err != nil {
			return err
		}
		if err := batch.Send(); err != nil {
			return err
		}
		return scan(s, uint64(1), "SELECT count() FROM "+s.table+" WHERE name = 'struct'")
	}},
	{"an asynchronous INSERT", func(s scene) error {
		if err := table(s, "MergeTree ORDER BY id"); err != nil {
			return err
		}
		ctx := clickhouse.Context(s.ctx, clickhouse.WithAsync(true))
		if err := s.conn.Exec(ctx, "INSERT INTO "+s.table+" VALUES (1, 'async', now64(3))"); err != nil {
			return err
		}
		return scan(s, uint64(1), "SELECT count() FROM "+s.table)
	}},
	{"a result of many blocks", func(s scene) error {
		rows, err := s.conn.Query(s.ctx, "SELECT number, toString(number) FROM numbers(300000)")
		if err != nil {
			return err
		}
		defer rows.Close()
		var count, number uint64
		var text string
		for ; rows.Next(); count++ {
			if err := rows.Scan(&number, &text); err != nil {
				return err
			}
		}
		return errors.Join(rows.Err(), same(count, uint64(300000)))
	}},
	{"errors with their code", func(s scene) error {
		err := s.conn.Exec(s.ctx, "SELECT nonsense")
		var exception *clickhouse.Exception
		if errors.As(err, &exception) {
			return same(exception.Code, int32(47))
		}
		if err == nil || !strings.Contains(err.Error(), "code: 47") && !strings.Contains(err.Error(), "Code: 47") {
			return fmt.Errorf("not code 47 but %v", err)
		}
		return nil
	}},
	{"a session and its temporary table", func(s scene) error {
		options := *s.options
		options.Settings = clickhouse.Settings{"session_id": s.table}
		conn, err := clickhouse.Open(&options)
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := conn.Exec(s.ctx, "CREATE TEMPORARY TABLE mine AS SELECT 7 AS x"); err != nil {
			return err
		}
		return scan(scene{conn: conn, ctx: s.ctx}, uint8(7), "SELECT x FROM mine")
	}},
	{"a deadline that ends a query", func(s scene) error {
		ctx, cancel := context.WithTimeout(s.ctx, 500*time.Millisecond)
		defer cancel()
		started := time.Now()
		err := s.conn.Exec(ctx, "SELECT sleepEachRow(1) FROM numbers(3) SETTINGS max_block_size = 1")
		if err == nil || time.Since(started) > 2*time.Second {
			return fmt.Errorf("%v after %v", err, time.Since(started))
		}
		return nil
	}},
	{"database/sql", func(s scene) error {
		db := clickhouse.OpenDB(s.options)
		defer db.Close()
		var got string
		if err := db.QueryRowContext(s.ctx, "SELECT toString(sum(number)) FROM numbers($1)", 11).Scan(&got); err != nil {
			return err
		}
		return same(got, "55")
	}},
}

func table(s scene, engine string) error {
	if err := s.conn.Exec(s.ctx, "DROP TABLE IF EXISTS "+s.table); err != nil {
		return err
	}
	return s.conn.Exec(s.ctx, "CREATE TABLE "+s.table+" (id UInt64, name String, at DateTime64(3, 'UTC')) ENGINE = "+engine)
}

func main() {
	server, err := url.Parse(os.Args[1])
	if err != nil {
		panic(err)
	}
	password, _ := server.User.Password()
	compressions := []struct {
		name   string
		method clickhouse.CompressionMethod
	}{
		{"none", clickhouse.CompressionNone}, {"lz4", clickhouse.CompressionLZ4}, {"zstd", clickhouse.CompressionZSTD},
		{"gzip", clickhouse.CompressionGZIP}, {"deflate", clickhouse.CompressionDeflate}, {"br", clickhouse.CompressionBrotli},
	}
	passed, failed := 0, 0
	for _, compression := range compressions {
		options := &clickhouse.Options{
			Protocol: clickhouse.HTTP, Addr: []string{server.Host}, Compression: &clickhouse.Compression{Method: compression.method, Level: 3},
			Auth: clickhouse.Auth{Database: strings.Trim(server.Path, "/"), Username: server.User.Username(), Password: password},
		}
		conn, err := clickhouse.Open(options)
		if err != nil {
			panic(err)
		}
		s := scene{conn, options, fmt.Sprintf("go_%s_%d", compression.name, time.Now().UnixNano()), context.Background()}
		for _, check := range checks {
			if err := check.run(s); err != nil {
				failed++
				fmt.Printf("FAILED %s, %s: %v\n", compression.name, check.name, err)
			} else {
				passed++
			}
		}
		if err := conn.Exec(s.ctx, "DROP TABLE IF EXISTS "+s.table); err != nil {
			fmt.Println("FAILED to drop the table:", err)
		}
		_ = conn.Close()
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
