#include "core/transport/inflater.hpp"

#include <zlib.h>

#include <algorithm>

namespace moonwire::transport {
namespace {

constexpr int kRawWindow = -15;                // 32 KB, without zlib's header
constexpr std::size_t kKeptBytes = 64 * 1024;  // of output buffer, between messages
constexpr std::string_view kTail("\x00\x00\xff\xff", 4);

}  // namespace

Inflater::Inflater() noexcept = default;

Inflater::~Inflater() {
    if (stream_) inflateEnd(stream_.get());
}

Inflater::Outcome Inflater::inflate(std::string_view compressed, std::size_t limit) {
    if (!stream_) {
        auto stream = std::make_unique<z_stream>();
        if (inflateInit2(stream.get(), kRawWindow) != Z_OK) return {Status::broken, {}};
        stream_ = std::move(stream);
    }
    inflateReset(stream_.get());
    if (output_.size() != kKeptBytes) output_ = std::string(kKeptBytes, '\0');
    std::size_t made = 0;
    int result = Z_OK;
    // The tail that the sender left out (section 7.2.2), in a call of its own: no copy is made.
    for (const std::string_view part : {compressed, kTail}) {
        stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part.data()));
        stream_->avail_in = static_cast<uInt>(part.size());
        do {
            if (made == output_.size()) {
                if (made > limit) return {Status::too_large, {}};
                output_.resize(made + std::min(made, limit + 1 - made));
            }
            stream_->next_out = reinterpret_cast<Bytef*>(output_.data() + made);
            stream_->avail_out = static_cast<uInt>(output_.size() - made);
            result = ::inflate(stream_.get(), Z_SYNC_FLUSH);
            made = output_.size() - stream_->avail_out;
            // Z_BUF_ERROR: nothing was left to do. A last block may end the stream early (7.2.3.5).
            if (result != Z_OK && result != Z_BUF_ERROR && result != Z_STREAM_END)
                return {Status::broken, {}};
        } while (result == Z_OK && (stream_->avail_in > 0 || stream_->avail_out == 0));
        if (result == Z_STREAM_END) break;
    }
    if (made > limit) return {Status::too_large, {}};
    return {Status::done, std::string_view(output_).substr(0, made)};
}

}  // namespace moonwire::transport
