#include "core/transport/tls_channel.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>

namespace moonwire::transport {

TlsChannel::TlsChannel(ssl_st* session, std::shared_ptr<const TlsContext> context) noexcept
    : context_(std::move(context)), session_(session) {
    BIO* const descriptor = SSL_get_rbio(session_);
    BIO_set_callback_arg(descriptor, reinterpret_cast<char*>(&drained_));
    BIO_set_callback_ex(descriptor,
                        [](BIO* bio, int operation, const char*, std::size_t asked, int, long,
                           int result, std::size_t* got) -> long {
                            if (operation == (BIO_CB_READ | BIO_CB_RETURN))
                                *reinterpret_cast<bool*>(BIO_get_callback_arg(bio)) =
                                    result <= 0 || *got < asked;
                            return result;
                        });
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
