//! Tests of bad input: each gets a clear response, and nothing is lost or half stored.

use super::*;

/// Sends one JSON body of which nothing must be stored, and returns the response.
async fn refused(body: impl AsRef<[u8]>) -> Answer {
    let server = Server::start().await;
    let answer = server.post(body.as_ref()).await;
    assert_eq!(server.stored(0).await, [""; 0]);
    assert_eq!(answer.body["accepted"], 0, "{answer:?}");
    assert_eq!(server.counted(), (0, answer.body["rejected"].as_u64().unwrap()));
    answer
}

#[tokio::test]
async fn what_is_not_json() {
    for body in ["not JSON", "", "{", r#"{"id":"a""#, "[1,]"] {
        assert_eq!(refused(body).await.errors(), (400, vec![(0, "", "invalid_json")]), "{body}");
    }
}

#[tokio::test]
async fn no_answer_quotes_a_record() {
    for body in ["SECRET", r#"{"SECRET"#, r#"{"id":SECRET}"#, r#"{"id":"a","userId":"SECRET","timestamp":"SECRET"}"#] {
        let answer = refused(body).await;
        assert_eq!(answer.status, 400);
        assert!(!answer.body.to_string().contains("SECRET"), "{answer:?}");
    }
}

#[tokio::test]
async fn an_array_with_one_wrong_element_stores_the_others() {
    let server = Server::start().await;
    let answer = server.post(format!("[{},7,{},{{}}]", event("a"), event("b"))).await;
    let (status, errors) = answer.errors();
    assert_eq!((status, &answer.body["accepted"], &answer.body["rejected"]), (207, &json!(2), &json!(2)));
    assert_eq!(errors[0], (1, "", "wrong_type"));
    assert_eq!(errors[1..].iter().map(|(index, ..)| *index).collect::<Vec<_>>(), [3; 4], "every missing field is told");
    assert_eq!(server.stored(0).await, [event("a"), event("b")]);
    assert_eq!(server.counted(), (2, 2));
    assert_eq!(["wrong_type", "missing_field"].map(|reason| server.rejected_for(reason)), [1, 1], "by the first error");
}

#[tokio::test]
async fn a_missing_field_a_field_twice_and_wrong_values_are_told_with_their_place() {
    let valid = event("a");
    for (body, pointer, code) in [
        (valid.replace(r#""userId":"u","#, ""), "/userId", "missing_field"),
        (valid.replace(r#""userId":"u","#, r#""userId":"u","userId":"v","#), "/userId", "duplicate_field"),
        (valid.replace(r#""u""#, "5"), "/userId", "wrong_type"),
        (valid.replace(r#""u""#, "null"), "/userId", "wrong_type"),
        (valid.replace('}', r#","count":128}"#), "/count", "out_of_range"),
        (valid.replace('}', r#","count":1.5}"#), "/count", "wrong_type"),
        (valid.replace("01-15", "02-30"), "/timestamp", "invalid_value"),
        (valid.replace("2024", "9999"), "/timestamp", "out_of_range"),
    ] {
        let answer = refused(&body).await;
        assert_eq!(answer.errors(), (400, vec![(0, pointer, code)]), "{body}: {answer:?}");
    }
}

#[tokio::test]
async fn all_errors_of_a_record_are_told_at_once() {
    let answer = refused(r#"{"id":5,"timestamp":"yesterday","eventType":"click"}"#).await;
    let (status, mut errors) = answer.errors();
    errors.sort_unstable();
    let expected = [(0, "/id", "wrong_type"), (0, "/timestamp", "invalid_value"), (0, "/userId", "missing_field")];
    assert_eq!((status, &errors[..]), (400, &expected[..]));
}

#[tokio::test]
async fn bytes_that_are_not_utf_8_also_in_an_unknown_field() {
    for text in [event("a?"), event("a").replace('{', r#"{"unknown":"?","#)] {
        let body: Vec<u8> = text.bytes().map(|byte| if byte == b'?' { 0xff } else { byte }).collect();
        assert_eq!(refused(&body).await.errors(), (400, vec![(0, "", "invalid_utf8")]));
        // Among lines it is that line's error only.
        let server = Server::start().await;
        let lines = [event("before").as_bytes(), &body, event("after").as_bytes()].join(&b'\n');
        let answer = server.post_lines(lines).await;
        assert_eq!(answer.errors(), (207, vec![(1, "", "invalid_utf8")]));
        assert_eq!(server.stored(0).await, [event("before"), event("after")]);
    }
}

#[tokio::test]
async fn two_objects_under_application_json_are_refused_with_the_hint() {
    for between in ["", "\n", " "] {
        let answer = refused(format!("{}{between}{}", event("a"), event("b"))).await;
        assert_eq!(answer.status, 400);
        assert!(answer.body["errors"][0]["message"].as_str().unwrap().contains("application/x-ndjson"), "{answer:?}");
    }
}

#[tokio::test]
async fn two_objects_on_one_line_are_that_line_s_error() {
    let server = Server::start().await;
    let answer = server.post_lines(format!("{}{}\n{}", event("a"), event("b"), event("c"))).await;
    assert_eq!(answer.errors(), (207, vec![(0, "", "invalid_json")]));
    assert_eq!(server.stored(0).await, [event("c")]);
}

#[tokio::test]
async fn thirty_kilobytes_of_brackets_in_an_unknown_field() {
    let deep = format!("{}{}", "[".repeat(15_000), "]".repeat(15_000));
    let answer = refused(event("a").replace('}', &format!(r#","unknown":{deep}}}"#))).await;
    assert_eq!(answer.errors(), (400, vec![(0, "", "too_deep")]));
    let answer = refused(event("a").replace('}', &format!(",\"unknown\":{}", "[".repeat(30_000)))).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn bodies_above_the_limits_are_413_and_say_the_limit() {
    let server = Server::start().await;
    let large = vec![b' '; 11 << 20];
    let answer = server.post(&large).await;
    assert_eq!(answer.status, 413);
    assert!(answer.body["error"].as_str().unwrap().contains("10485760 bytes"), "{answer:?}");

    let small = gzip(&vec![b' '; 65 << 20]);
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let answer = server.send("POST", "/ingest/events", &headers, &small).await;
    assert_eq!(answer.status, 413);
    assert!(answer.body["error"].as_str().unwrap().contains("decompressed"), "{answer:?}");
    assert_eq!(server.counted(), (0, 0));
}

#[tokio::test]
async fn a_body_of_unknown_length_above_the_limit_is_413() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /ingest/events HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = [b"100000\r\n", vec![b' '; 1 << 20].as_slice(), b"\r\n"].concat();
    for _ in 0..11 {
        stream.write_all(&chunk).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    assert_eq!(Answer::read(&mut stream).await.status, 413);
}

#[tokio::test]
async fn bodies_that_do_not_decompress_are_400() {
    let server = Server::start().await;
    let whole = gzip(event("a").as_bytes());
    for (encoding, body) in [("gzip", &whole[..whole.len() - 5]), ("gzip", b"no"), ("zstd", b"no")] {
        let headers = [("content-encoding", encoding)];
        let answer = server.send("POST", "/ingest/events", &headers, body).await;
        assert_eq!(answer.status, 400);
        assert!(answer.body["error"].as_str().unwrap().contains(encoding), "{answer:?}");
    }
    assert_eq!(server.stored(0).await, [""; 0]);
}

#[tokio::test]
async fn an_unknown_name_is_404_with_the_known_ones() {
    let server = Server::start().await;
    for path in ["/ingest/evnts", "/ingest/", "/", "/ingest/events/more", "/ingest/%ff"] {
        for method in ["POST", "GET"] {
            let answer = server.send(method, path, &[], b"").await;
            assert_eq!((answer.status, &answer.body["known"]), (404, &json!(["events", "other"])), "{method} {path}");
            assert!(answer.body["error"].as_str().unwrap().contains("/ingest/events, /ingest/other"));
        }
    }
}

#[tokio::test]
async fn other_methods_are_405() {
    let server = Server::start().await;
    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        let answer = server.send(method, "/ingest/events", &[], b"").await;
        assert_eq!(answer.status, 405);
        assert!(answer.head.contains("allow: post"), "{answer:?}");
    }
}

#[tokio::test]
async fn other_content_types_and_encodings_are_415_and_say_what_is_taken() {
    let server = Server::start().await;
    for headers in [
        [("content-type", "application/x-www-form-urlencoded"), ("x-none", "")],
        [("content-type", "application/json; charset=latin1"), ("x-none", "")],
        [("content-type", "application/json"), ("content-encoding", "br")],
        [("content-type", "application/json"), ("content-encoding", "gzip, gzip")],
    ] {
        let answer = server.send("POST", "/ingest/events", &headers, event("a").as_bytes()).await;
        assert_eq!(answer.status, 415);
        let error = answer.body["error"].as_str().unwrap();
        assert!(error.contains("application/x-ndjson") || error.contains("zstd"), "{error}");
    }
}

#[tokio::test]
async fn the_list_of_errors_is_bounded() {
    let server = Server::start().await;
    let answer = server.post_lines("{}\n".repeat(5_000)).await;
    assert_eq!((answer.status, &answer.body["rejected"]), (400, &json!(5_000)));
    assert_eq!(answer.body["errors"].as_array().unwrap().len(), 1_000);
    assert_eq!(answer.body["more"], 5_000 * 4 - 1_000);
}

#[tokio::test]
async fn a_small_body_that_unpacks_into_millions_of_records_is_refused_whole() {
    let server = Server::start().await;
    let array = [b"[1".as_slice(), &b",1".repeat(1_000_000), b"]"].concat();
    let lines = b"1\n".repeat(1_000_001);
    for (body, content_type) in [(array, "application/json"), (lines, "application/x-ndjson")] {
        let headers = [("content-type", content_type), ("content-encoding", "gzip")];
        let answer = server.send("POST", "/ingest/events", &headers, &gzip(&body)).await;
        assert_eq!(answer.errors(), (400, vec![(0, "", "too_many_records")]), "{content_type}");
    }
    assert_eq!(server.stored(0).await, [""; 0]);
}

/// The series that the metrics have, without their values.
fn series(metrics: &Metrics) -> Vec<String> {
    let text = metrics.render().unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned())).collect()
}

#[tokio::test]
async fn nothing_that_a_client_chooses_becomes_a_label() {
    let server = Server::start().await;
    server.post(event("a")).await;
    let before = series(&server.metrics);
    let mut requests = String::new();
    for number in 0..10_000 {
        let noise = rand::random::<u64>();
        let request = match number % 5 {
            0 => format!("GET /{noise:x} HTTP/1.1\r\ncontent-length: 0\r\n"),
            1 => format!("POST /ingest/{noise:x} HTTP/1.1\r\ncontent-length: 0\r\n"),
            2 => format!("POST /ingest/events/{noise:x} HTTP/1.1\r\ncontent-length: 0\r\n"),
            3 => format!("POST /ingest/events?{noise:x}={noise:x} HTTP/1.1\r\ncontent-length: 0\r\n"),
            _ => format!("POST /ingest/events HTTP/1.1\r\nx-{noise:x}: {noise:x}\r\ncontent-length: 0\r\n"),
        };
        requests.push_str(&request);
        requests.push_str(if number == 9_999 { "connection: close\r\n\r\n" } else { "\r\n" });
    }
    let requests = requests.replace("HTTP/1.1\r\n", "HTTP/1.1\r\nhost: test\r\n");
    let (mut reading, mut writing) = TcpStream::connect(server.address).await.unwrap().into_split();
    let mut answers = Vec::new();
    let (sent, read) = tokio::join!(writing.write_all(requests.as_bytes()), reading.read_to_end(&mut answers));
    sent.unwrap();
    read.unwrap();
    let answers = String::from_utf8(answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 404 ").count(), 6_000, "unknown paths");
    assert_eq!(answers.matches("HTTP/1.1 400 ").count(), 4_000, "no records");
    assert_eq!(series(&server.metrics), before);
    assert_eq!(server.rejected_for("invalid_json"), 4_000);
}
