#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

struct ssl_st;

namespace moonwire::transport {

class TlsContext;

/// The TLS side of one accepted connection: an OpenSSL session over its non-blocking descriptor.
///
/// The handshake happens within the first reads. Belongs to the connection's Link and goes with it
/// from reactor to reactor and from HTTP to WebSocket; one thread at a time. Peer input never
/// throws: whatever goes wrong is Status::failed, for good.
class TlsChannel {
public:
    enum class Status : std::uint8_t {
        done,        // `bytes` were read or written
        wait_read,   // nothing until the descriptor is readable
        wait_write,  // nothing until it is writable; a read may say so too, and the reverse
        ended,       // the peer sends no more
        failed,
    };
    struct Outcome {
        Status status;
        std::size_t bytes = 0;
    };

    /// Takes the session, which uses `context`; the descriptor stays the socket's.
    TlsChannel(ssl_st* session, int descriptor, std::shared_ptr<const TlsContext> context);
    ~TlsChannel();
    TlsChannel(const TlsChannel&) = delete;
    TlsChannel& operator=(const TlsChannel&) = delete;

    /// `done` has at least one byte.
    Outcome read(char* to, std::size_t size);
    /// True when the next read need not wait for the kernel: more has been received than was read,
    /// or the kernel may have more.
    bool ready() const noexcept { return ready_ || !drained_; }
    /// At most one record. A write that could not be done must be repeated with bytes that begin
    /// with the same ones.
    Outcome write(const char* from, std::size_t size);
    /// The most that one write takes: a record's payload (RFC 8446 section 5.1).
    static constexpr std::size_t kRecordBytes = 16 * 1024;
    /// Says goodbye (close_notify), if the kernel takes it.
    void end_sending();

    /// The client certificate's subject as RFC 4514 has it ("CN=alice,O=Example"); empty when the
    /// client showed none.
    std::string client_subject() const;

private:
    struct Source;

    Outcome judge(int result, std::size_t bytes);

    const std::shared_ptr<const TlsContext> context_;
    ssl_st* const session_;
    const int descriptor_;
    bool ready_ = false;
    bool drained_ = true;  // OpenSSL's last read from the kernel got less than it asked for
    bool source_ended_ = false;
    bool failed_ = false;
};

}  // namespace moonwire::transport
