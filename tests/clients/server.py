#!/usr/bin/env python3
"""The embedded engine's library as a server with a `default` who may do everything, and with its logs kept, as the
clients' own suites want it.

    server.py LIBRARY DIRECTORY PORT

LIBRARY is `libchdb.so`: `engine_host locate` says where. Serves until its standard input ends.
"""
import ctypes
import os
import sys

CONFIG = """<clickhouse>
<path>{directory}/data/</path>
<listen_host>127.0.0.1</listen_host>
<http_port>{port}</http_port>
<users_config>{directory}/users.xml</users_config>
<logger><console>1</console></logger>
<query_log><database>system</database><table>query_log</table><flush_interval_milliseconds>1000</flush_interval_milliseconds></query_log>
<opentelemetry_span_log><database>system</database><table>opentelemetry_span_log</table><flush_interval_milliseconds>1000</flush_interval_milliseconds></opentelemetry_span_log>
</clickhouse>
"""
# `implicit_select` is off on every server, and on in `clickhouse local`, which this is.
USERS = """<clickhouse>
<profiles><default><implicit_select>0</implicit_select></default></profiles>
<users><default><password/><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users>
<quotas><default/></quotas>
</clickhouse>
"""


def main():
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    directory, port = os.path.abspath(sys.argv[2]), int(sys.argv[3])
    os.makedirs(directory, exist_ok=True)
    for name, text in [("config.xml", CONFIG), ("users.xml", USERS)]:
        with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
            file.write(text.format(directory=directory, port=port))
    library = ctypes.CDLL(sys.argv[1])
    library.chdb_set_signal_handlers_enabled(0)
    library.chdb_result_error.restype = ctypes.c_char_p
    library.chdb_query_cmdline.restype = ctypes.c_void_p
    words = ["clickhouse", f"--config-file={directory}/config.xml", f"--path={directory}/data", "--log-level=error",
             "--query=SYSTEM START LISTEN HTTP; SELECT * FROM file('/dev/stdin', 'LineAsString', 'x String')"]
    result = library.chdb_query_cmdline(len(words), (ctypes.c_char_p * len(words))(*map(str.encode, words)))
    error = library.chdb_result_error(ctypes.c_void_p(result)) if result else b"nothing came back"
    raise SystemExit(error.decode() if error else 0)


if __name__ == "__main__":
    main()
