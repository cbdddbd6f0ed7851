#include "core/transport/deflater.hpp"

#include <zlib.h>

namespace moonwire::transport {
namespace {

constexpr int kRawWindow = -15;                // 32 KB, without zlib's header
constexpr int kMemoryLevel = 8;                // zlib's default
constexpr std::size_t kKeptBytes = 64 * 1024;  // of output buffer, between messages
constexpr std::string_view kTail("\x00\x00\xff\xff", 4);

}  // namespace

Deflater::Deflater(int level) : level_(level) {}

Deflater::~Deflater() {
    if (stream_) deflateEnd(stream_.get());
}

std::string_view Deflater::deflate(std::string_view payload) {
    if (payload.empty()) return {};
    if (!stream_) {
        auto stream = std::make_unique<z_stream>();
        if (deflateInit2(stream.get(), level_, Z_DEFLATED, kRawWindow, kMemoryLevel,
                         Z_DEFAULT_STRATEGY) != Z_OK)
            return {};
        stream_ = std::move(stream);
    }
    deflateReset(stream_.get());
    if (output_.size() > kKeptBytes) output_ = std::string();
    if (output_.size() < payload.size()) output_.resize(payload.size());
    stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(payload.data()));
    stream_->avail_in = static_cast<uInt>(payload.size());
    stream_->next_out = reinterpret_cast<Bytef*>(output_.data());
    stream_->avail_out = static_cast<uInt>(payload.size());
    // With room left everything is out (zlib.h); without, nothing is gained.
    if (::deflate(stream_.get(), Z_SYNC_FLUSH) != Z_OK || stream_->avail_out == 0) return {};
    const std::string_view made(output_.data(), payload.size() - stream_->avail_out);
    return made.ends_with(kTail) ? made.substr(0, made.size() - kTail.size()) : std::string_view();
}

}  // namespace moonwire::transport
