#include "core/transport/tls_channel.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace moonwire::transport {

/// What the session reads from and writes to: the descriptor, without OpenSSL's own socket BIO,
/// which has SIGPIPE raised by peers that have gone, tells nobody of a short read, and takes a
/// round of callbacks a call.
struct TlsChannel::Source {
    static int read(BIO* bio, char* to, std::size_t size, std::size_t* got) {
        TlsChannel& channel = of(bio);
        const ssize_t received = ::recv(channel.descriptor_, to, size, MSG_DONTWAIT);
        channel.drained_ = received < static_cast<ssize_t>(size);
        BIO_clear_retry_flags(bio);
        if (received > 0) {
            *got = static_cast<std::size_t>(received);
            return 1;
        }
        if (received == 0) channel.source_ended_ = true;
        else if (BIO_sock_non_fatal_error(errno)) BIO_set_retry_read(bio);
        return static_cast<int>(received);
    }
    static int write(BIO* bio, const char* from, std::size_t size, std::size_t* written) {
        const ssize_t sent = ::send(of(bio).descriptor_, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        BIO_clear_retry_flags(bio);
        if (sent > 0) {
            *written = static_cast<std::size_t>(sent);
            return 1;
        }
        if (sent < 0 && BIO_sock_non_fatal_error(errno)) BIO_set_retry_write(bio);
        return static_cast<int>(sent);
    }
    static long control(BIO* bio, int what, long, void*) {
        if (what == BIO_CTRL_EOF) return of(bio).source_ended_;
        return what == BIO_CTRL_FLUSH;  // nothing is held back
    }
    static const BIO_METHOD* method() {
        static const BIO_METHOD* const method = [] {
            BIO_METHOD* made =
                BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "descriptor");
            BIO_meth_set_read_ex(made, read);
            BIO_meth_set_write_ex(made, write);
            BIO_meth_set_ctrl(made, control);
            return made;
        }();
        return method;
    }

private:
    static TlsChannel& of(BIO* bio) { return *static_cast<TlsChannel*>(BIO_get_data(bio)); }
};

TlsChannel::TlsChannel(ssl_st* session, int descriptor, std::shared_ptr<const TlsContext> context)
    : context_(std::move(context)), session_(session), descriptor_(descriptor) {
    BIO* const bio = BIO_new(Source::method());
    if (!bio) {
        failed_ = true;  // out of memory
        return;
    }
    BIO_set_data(bio, this);
    SSL_set_bio(session_, bio, bio);
}

TlsChannel::~TlsChannel() { SSL_free(session_); }

TlsChannel::Outcome TlsChannel::read(char* to, std::size_t size) {
    ready_ = false;
    if (failed_) return {Status::failed};
    std::size_t total = 0;
    // Whatever has come already, as a plain read would take it.
    while (total < size) {
        std::size_t got = 0;
        ERR_clear_error();
        const int result = SSL_read_ex(session_, to + total, size - total, &got);
        if (result != 1) {
            if (total == 0) return judge(result, 0);
            // The bytes first; the next read tells the rest.
            ready_ = judge(result, 0).status != Status::wait_read;
            break;
        }
        total += got;
        ready_ = SSL_has_pending(session_) == 1;
        if (!ready_) break;
    }
    return {Status::done, total};
}

TlsChannel::Outcome TlsChannel::write(const char* from, std::size_t size) {
    if (failed_) return {Status::failed};
    std::size_t written = 0;
    ERR_clear_error();
    const int result = SSL_write_ex(session_, from, std::min(size, kRecordBytes), &written);
    return judge(result, written);
}

TlsChannel::Outcome TlsChannel::judge(int result, std::size_t bytes) {
    if (result == 1) return {Status::done, bytes};
    switch (SSL_get_error(session_, result)) {
        case SSL_ERROR_WANT_READ: return {Status::wait_read};
        case SSL_ERROR_WANT_WRITE: return {Status::wait_write};
        case SSL_ERROR_ZERO_RETURN: return {Status::ended};
        default: failed_ = true; return {Status::failed};
    }
}

void TlsChannel::end_sending() {
    if (failed_ || !SSL_is_init_finished(session_)) return;
    ERR_clear_error();
    SSL_shutdown(session_);
}

std::string TlsChannel::client_subject() const {
    const X509* certificate = SSL_get0_peer_certificate(session_);
    if (!certificate) return {};
    BIO* text = BIO_new(BIO_s_mem());
    if (!text) return {};
    // UTF-8 as it is.
    X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0,
                       XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
    char* data = nullptr;
    const long size = BIO_get_mem_data(text, &data);
    std::string subject(data, size > 0 ? static_cast<std::size_t>(size) : 0);
    BIO_free(text);
    return subject;
}

}  // namespace moonwire::transport
