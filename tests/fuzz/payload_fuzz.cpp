// Polling payloads: read to the end or to the first malformed packet; base64 survives a round trip.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/engineio/payload.hpp"

using namespace moonwire::engineio;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view body(reinterpret_cast<const char*>(data), size);
    PayloadReader reader(body);
    while (!reader.done()) {
        const auto packet = reader.next();
        if (!packet) break;
        if (packet->binary && packet->type != PacketType::message) std::abort();
    }
    std::string text;
    append_base64(text, body);
    if (decode_base64(text) != body) std::abort();
    return 0;
}
