//! The calls into librdkafka that `rdkafka` has no safe form of: reading one partition at a position through a queue of
//! its own, and the id of a topic.
//!
//! The only file of the streams with `unsafe`. Its interface is safe: a [`Fetch`] keeps the client alive that its
//! pointers belong to, every pointer is freed exactly once, by `Drop`, and messages are copied before they are freed.

#![expect(unsafe_code, reason = "calls into a C library: this file is the wall around them")]

use std::{
    ffi::{CStr, CString, c_void},
    ptr::NonNull,
    slice,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use rdkafka::{
    TopicPartitionList, bindings as rd,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::RDKafkaErrorCode,
    types::RDKafkaRespErr,
};
use tokio::sync::Notify;

use super::client::Context;
use crate::stream::Record;

/// Maximum number of messages per call.
const BATCH: usize = 512;

/// An event of a partition.
#[derive(Debug)]
pub(super) enum Fetched {
    /// A record.
    Record(Record),
    /// The end: everything below this offset was read.
    End(u64),
    /// The partition can't be read.
    Failed(RDKafkaErrorCode, String),
}

/// What to copy of each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Its payload.
    Payload,
    /// Its key, the header of this name and its payload, to be decoded by [`open_envelope`].
    Envelope(&'static CStr),
}

/// A partition that is being read from a position.
pub(super) struct Fetch {
    topic: NonNull<rd::rd_kafka_topic_t>,
    queue: NonNull<rd::rd_kafka_queue_t>,
    partition: i32,
    content: Content,
    /// Notified when the queue has something. Boxed, because the library holds its address.
    awake: Box<Notify>,
    /// Last, so that it outlives the pointers.
    _client: Arc<BaseConsumer<Context>>,
}

// SAFETY: librdkafka's handles may be used from any thread.
unsafe impl Send for Fetch {}
// SAFETY: and from several at once.
unsafe impl Sync for Fetch {}

unsafe extern "C" fn wake(_client: *mut rd::rd_kafka_t, awake: *mut c_void) {
    // SAFETY: the pointer is that of the box in a `Fetch`, which takes the callback away before it goes.
    let awake = unsafe { &*awake.cast_const().cast::<Notify>() };
    awake.notify_one();
}

impl Fetch {
    /// Begins to read. One client reads a partition at one place only: an earlier `Fetch` of it must be gone.
    pub(super) fn start(
        client: &Arc<BaseConsumer<Context>>,
        topic: &str,
        partition: u16,
        from: u64,
        content: Content,
    ) -> Result<Self, RDKafkaErrorCode> {
        let invalid = RDKafkaErrorCode::InvalidArgument;
        let name = CString::new(topic).map_err(|_nul| invalid)?;
        let offset = i64::try_from(from).map_err(|_large| invalid)?;
        let partition = i32::from(partition);
        let raw = client.client().native_ptr();
        let awake = Box::new(Notify::new());
        // SAFETY: the client is alive, as it is borrowed; the name is copied; a null configuration is the default one.
        let topic = unsafe { rd::rd_kafka_topic_new(raw, name.as_ptr(), std::ptr::null_mut()) };
        let topic = NonNull::new(topic).ok_or_else(last_error)?;
        // SAFETY: the client is alive.
        let Some(queue) = NonNull::new(unsafe { rd::rd_kafka_queue_new(raw) }) else {
            // SAFETY: it was just made, and nobody else has it.
            unsafe { rd::rd_kafka_topic_destroy(topic.as_ptr()) };
            return Err(last_error());
        };
        // SAFETY: queue and topic are alive until `Drop`, and the callback is taken away there before its argument goes.
        let started = unsafe {
            let argument = std::ptr::from_ref::<Notify>(&awake).cast_mut().cast::<c_void>();
            rd::rd_kafka_queue_cb_event_enable(queue.as_ptr(), Some(wake), argument);
            rd::rd_kafka_consume_start_queue(topic.as_ptr(), partition, offset, queue.as_ptr())
        };
        let error = last_error();
        let fetch = Self { topic, queue, partition, content, awake, _client: Arc::clone(client) };
        if started == 0 { Ok(fetch) } else { Err(error) }
    }

    /// Resolves when the queue may have something.
    pub(super) async fn filled(&self) {
        self.awake.notified().await;
    }

    /// Takes what the queue has, up to [`BATCH`], without waiting.
    pub(super) fn take(&self) -> Vec<Fetched> {
        let mut messages = [std::ptr::null_mut::<rd::rd_kafka_message_t>(); BATCH];
        // SAFETY: the queue is alive, and the library writes no more than the array has.
        let count = unsafe { rd::rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, messages.as_mut_ptr(), BATCH) };
        let messages = messages.get(..usize::try_from(count).unwrap_or(0)).unwrap_or_default();
        let mut bytes = Vec::with_capacity(messages.iter().map(|message| payload(*message).len()).sum());
        let mut found = Vec::with_capacity(messages.len());
        for message in messages {
            let from = bytes.len();
            if let Content::Envelope(name) = self.content {
                for part in [key(*message), header(*message, name)] {
                    bytes.extend_from_slice(&part.len().to_be_bytes());
                    bytes.extend_from_slice(part);
                }
            }
            bytes.extend_from_slice(payload(*message));
            found.push((from..bytes.len(), read(*message)));
            // SAFETY: the message is ours since the call above, and nothing of it is kept.
            unsafe { rd::rd_kafka_message_destroy(*message) };
        }
        let bytes = Bytes::from(bytes);
        let with_payload = |(range, found): (std::ops::Range<usize>, Fetched)| match found {
            Fetched::Record(record) => Fetched::Record(Record { payload: bytes.slice(range), ..record }),
            other => other,
        };
        found.into_iter().map(with_payload).collect()
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        // SAFETY: both were made in `start` and are freed nowhere else; the client is alive, as a field of this.
        unsafe {
            rd::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, std::ptr::null_mut());
            rd::rd_kafka_consume_stop(self.topic.as_ptr(), self.partition);
            rd::rd_kafka_queue_destroy(self.queue.as_ptr());
            rd::rd_kafka_topic_destroy(self.topic.as_ptr());
        }
    }
}

/// The metadata of the only partition in a list, as raw bytes: it need not be UTF-8.
pub(super) fn metadata(list: &TopicPartitionList) -> Vec<u8> {
    // SAFETY: the list is alive, has as many elements as it says, and an element's metadata the length that it says.
    unsafe {
        let list = &*list.ptr();
        if list.cnt < 1 || list.elems.is_null() {
            return Vec::new();
        }
        let first = &*list.elems;
        if first.metadata.is_null() {
            return Vec::new();
        }
        slice::from_raw_parts(first.metadata.cast::<u8>(), first.metadata_size).to_vec()
    }
}

fn last_error() -> RDKafkaErrorCode {
    // SAFETY: reads a number of this thread's.
    unsafe { rd::rd_kafka_last_error() }.into()
}

/// The payload of a message; empty if there is none. For an error it is the error's text.
fn payload<'a>(message: *const rd::rd_kafka_message_t) -> &'a [u8] {
    // SAFETY: the library gave the message and has not got it back; its payload has the length that it says.
    unsafe {
        if (*message).err != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR || (*message).payload.is_null() {
            return &[];
        }
        slice::from_raw_parts((*message).payload.cast::<u8>(), (*message).len)
    }
}

/// The key of a message; empty if there is none.
fn key<'a>(message: *const rd::rd_kafka_message_t) -> &'a [u8] {
    // SAFETY: as for the payload.
    unsafe {
        if (*message).err != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR || (*message).key.is_null() {
            return &[];
        }
        slice::from_raw_parts((*message).key.cast::<u8>(), (*message).key_len)
    }
}

/// The last header of that name; empty if there is none.
fn header<'a>(message: *const rd::rd_kafka_message_t, name: &CStr) -> &'a [u8] {
    let (mut headers, mut value, mut size) = (std::ptr::null_mut(), std::ptr::null(), 0);
    // SAFETY: headers and their values belong to the message, which the library has not got back.
    unsafe {
        let ok = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
        if (*message).err != ok
            || rd::rd_kafka_message_headers(message, &raw mut headers) != ok
            || rd::rd_kafka_header_get_last(headers, name.as_ptr(), &raw mut value, &raw mut size) != ok
            || value.is_null()
        {
            return &[];
        }
        slice::from_raw_parts(value.cast::<u8>(), size)
    }
}

/// Decodes key, header and payload of a message that was taken as [`Content::Envelope`].
pub(super) fn open_envelope(envelope: &Bytes) -> Option<(Bytes, Bytes, Bytes)> {
    let mut rest = envelope.clone();
    let mut part = || {
        let (length, _) = rest.split_first_chunk::<{ size_of::<usize>() }>()?;
        let length = usize::from_be_bytes(*length);
        let mut part = rest.split_off(size_of::<usize>());
        if length > part.len() {
            return None;
        }
        rest = part.split_off(length);
        Some(part)
    };
    let (key, header) = (part()?, part()?);
    Some((key, header, rest))
}

/// A message without its payload.
fn read(message: *const rd::rd_kafka_message_t) -> Fetched {
    // SAFETY: the library gave the message and has not got it back.
    let (error, offset) = unsafe { ((*message).err, (*message).offset) };
    let offset = u64::try_from(offset).unwrap_or(0);
    match error {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => {
            let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
            // SAFETY: as above; the kind is written where it lies.
            let timestamp = unsafe { rd::rd_kafka_message_timestamp(message, &raw mut kind) }.max(0);
            Fetched::Record(Record { offset, timestamp, payload: Bytes::new() })
        }
        RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF => Fetched::End(offset),
        other => {
            // SAFETY: as above; the text lives as long as the message, and is copied.
            let text = unsafe { CStr::from_ptr(rd::rd_kafka_message_errstr(message)) };
            Fetched::Failed(other.into(), text.to_string_lossy().into_owned())
        }
    }
}

/// The id that the brokers assigned to the topic; `None` if they assign none. Blocks.
pub(super) fn topic_id(
    client: &BaseConsumer<impl ConsumerContext>,
    topic: &str,
    timeout: Duration,
) -> Result<Option<u128>, RDKafkaErrorCode> {
    let name = CString::new(topic).map_err(|_nul| RDKafkaErrorCode::InvalidArgument)?;
    let raw = client.client().native_ptr();
    let milliseconds = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the client is alive; what is made here is freed here, and the event only after all that was read of it.
    unsafe {
        let mut names = [name.as_ptr()];
        let collection = rd::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let queue = rd::rd_kafka_queue_new(raw);
        rd::rd_kafka_DescribeTopics(raw, collection, std::ptr::null(), queue);
        let event = rd::rd_kafka_queue_poll(queue, milliseconds);
        let id = read_topic_id(event);
        if !event.is_null() {
            rd::rd_kafka_event_destroy(event);
        }
        rd::rd_kafka_queue_destroy(queue);
        rd::rd_kafka_TopicCollection_destroy(collection);
        id
    }
}

/// # Safety
/// The event is null or one that the library gave and has not got back.
unsafe fn read_topic_id(event: *mut rd::rd_kafka_event_t) -> Result<Option<u128>, RDKafkaErrorCode> {
    if event.is_null() {
        return Err(RDKafkaErrorCode::OperationTimedOut);
    }
    // SAFETY: all that is read belongs to the event; a result that is not the kind asked for is null.
    unsafe {
        let error = rd::rd_kafka_event_error(event);
        if error != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(error.into());
        }
        let result = rd::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return Err(RDKafkaErrorCode::Fail);
        }
        let mut count = 0;
        let topics = rd::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if count == 0 || topics.is_null() {
            return Err(RDKafkaErrorCode::UnknownTopic);
        }
        let found = *topics;
        let error = rd::rd_kafka_error_code(rd::rd_kafka_TopicDescription_error(found));
        if error != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(error.into());
        }
        let id = rd::rd_kafka_TopicDescription_topic_id(found);
        if id.is_null() {
            return Ok(None);
        }
        let high = rd::rd_kafka_Uuid_most_significant_bits(id).cast_unsigned();
        let low = rd::rd_kafka_Uuid_least_significant_bits(id).cast_unsigned();
        let id = (u128::from(high) << 64) | u128::from(low);
        Ok((id != 0).then_some(id))
    }
}
