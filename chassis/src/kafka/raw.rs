//! The few calls that rdkafka does not offer, each with why it is sound.

use std::{ffi::CStr, ptr, slice, time::Duration};

use rdkafka::{
    message::BorrowedMessage,
    producer::{Producer, ProducerContext},
};
use rdkafka_sys as sys;

/// Calls back with every header of a record: name and value.
///
/// rdkafka's own reading panics when a header's name is not UTF-8, which would
/// let one record kill a consumer; here a name is bytes.
pub(super) fn for_each_header(
    message: &BorrowedMessage<'_>,
    mut each: impl FnMut(&[u8], Option<&[u8]>),
) {
    let mut headers = ptr::null_mut();
    // SAFETY: `message.ptr()` is valid while the message is borrowed; the call
    // only writes `headers`, which stay owned by the message.
    let error = unsafe { sys::rd_kafka_message_headers(message.ptr(), &raw mut headers) };
    if error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        return;
    }
    for index in 0.. {
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        // SAFETY: `headers` belongs to the borrowed message; past the last index
        // the call fails and writes nothing.
        let error = unsafe {
            sys::rd_kafka_header_get_all(
                headers,
                index,
                &raw mut name,
                &raw mut value,
                &raw mut size,
            )
        };
        if error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return;
        }
        // SAFETY: librdkafka ends names with a zero byte.
        let name = unsafe { CStr::from_ptr(name) }.to_bytes();
        let value = (!value.is_null()).then(|| {
            // SAFETY: `value` points to `size` bytes owned by the message.
            unsafe { slice::from_raw_parts(value.cast::<u8>(), size) }
        });
        each(name, value);
    }
}

/// Whether a record whose delivery failed may be on the broker all the same.
pub(super) fn may_be_persisted(message: &BorrowedMessage<'_>) -> bool {
    // SAFETY: the pointer is valid while the message is borrowed, and the call
    // only reads.
    let status = unsafe { sys::rd_kafka_message_status(message.ptr()) };
    status != sys::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED
}

/// librdkafka's in-process mock cluster, which lives as long as the client that
/// was made with `test.mock.num.brokers`.
#[derive(Debug)]
pub(super) struct MockCluster(ptr::NonNull<sys::rd_kafka_mock_cluster_t>);

// SAFETY: the mock cluster's functions lock it inside (rdkafka_mock.c).
unsafe impl Send for MockCluster {}
// SAFETY: as above.
unsafe impl Sync for MockCluster {}

impl MockCluster {
    /// The cluster of a client; `None` when the client has none. The caller keeps
    /// the client for as long as the result.
    pub(super) fn of<C: ProducerContext>(producer: &impl Producer<C>) -> Option<Self> {
        // SAFETY: the client is alive during the call.
        let cluster = unsafe { sys::rd_kafka_handle_mock_cluster(producer.client().native_ptr()) };
        ptr::NonNull::new(cluster).map(Self)
    }

    pub(super) fn bootstrap_servers(&self) -> String {
        // SAFETY: the cluster lives (see `of`), and so does the text it returns.
        unsafe { CStr::from_ptr(sys::rd_kafka_mock_cluster_bootstraps(self.0.as_ptr())) }
            .to_string_lossy()
            .into_owned()
    }

    pub(super) fn create_topic(&self, name: &CStr, partitions: i32) -> bool {
        // SAFETY: the cluster lives; the name is copied.
        let error = unsafe {
            sys::rd_kafka_mock_topic_create(self.0.as_ptr(), name.as_ptr(), partitions, 1)
        };
        error == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
    }

    /// A new group's first assignment waits for this long; 3 s unless told.
    pub(super) fn set_initial_rebalance_delay(&self, delay: Duration) {
        let millis = i32::try_from(delay.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the cluster lives.
        unsafe { sys::rd_kafka_mock_group_initial_rebalance_delay_ms(self.0.as_ptr(), millis) }
    }
}
