// Engine.IO 3 payloads in both forms, and JSONP's forms: read to the end or to the first malformed
// packet; what was read from text survives being written and read again.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/engineio/jsonp.hpp"
#include "core/engineio/payload_v3.hpp"

using namespace moonwire;
using namespace moonwire::engineio;

namespace {

template <typename Reader>
std::vector<transport::Frame> read_messages(Reader reader) {
    std::vector<transport::Frame> frames;
    while (!reader.done()) {
        const auto packet = reader.next();
        if (!packet) break;
        if (packet->type != PacketType::message) continue;
        frames.push_back(packet->binary ? transport::Frame::binary(packet->data)
                                        : transport::Frame::text({"4", packet->data}));
    }
    return frames;
}

void expect_same(const std::vector<transport::Frame>& a, const std::vector<transport::Frame>& b) {
    if (a.size() != b.size()) std::abort();
    for (std::size_t i = 0; i < a.size(); ++i)
        if (a[i].wire().view() != b[i].wire().view()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view body(reinterpret_cast<const char*>(data), size);
    read_messages(v3::BinaryPayloadReader(body));
    const auto frames = read_messages(v3::PayloadReader(body));
    if (!frames.empty()) {
        const std::string text = v3::encode_payload(frames);
        expect_same(frames, read_messages(v3::PayloadReader(text)));
        const std::string binary = v3::encode_binary_payload(frames);
        expect_same(frames, read_messages(v3::BinaryPayloadReader(binary)));
    }
    if (const auto payload = jsonp::payload_of(body)) {
        const std::string script = jsonp::script("0", *payload);
        for (const char* separator : {"\n", "\u2028", "\u2029"})
            if (script.find(separator) != std::string::npos) std::abort();
    }
    return 0;
}
